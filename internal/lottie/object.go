package lottie

import "math"

// object is one of JSON, read without a schema: what is missing or of another type than
// expected counts as not being there, for exporters differ.
type object map[string]any

func (o object) obj(key string) object {
	m, _ := o[key].(map[string]any)
	return m
}

func (o object) has(key string) bool { return o[key] != nil }

func (o object) list(key string) []any {
	l, _ := o[key].([]any)
	return l
}

func (o object) str(key string) string {
	s, _ := o[key].(string)
	return s
}

func (o object) num(key string, otherwise float64) float64 {
	if n, ok := number(o[key]); ok {
		return n
	}
	return otherwise
}

func (o object) int(key string, otherwise int) int {
	return int(o.num(key, float64(otherwise)))
}

// flag is a bool, or a number that is not 0.
func (o object) flag(key string) bool {
	if b, ok := o[key].(bool); ok {
		return b
	}
	return o.num(key, 0) != 0
}

// most is the largest number that is taken as it is: nothing that is seen needs a larger one.
const most = 1e7

// number reads a number, which may stand in a list of one.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return math.Min(math.Max(v, -most), most), true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case []any:
		if len(v) > 0 {
			if _, nested := v[0].([]any); !nested {
				return number(v[0])
			}
		}
	}
	return 0, false
}

// numbers reads a list of numbers, or one alone.
func numbers(v any) []float64 {
	list, ok := v.([]any)
	if !ok {
		if n, ok := number(v); ok {
			return []float64{n}
		}
		return nil
	}
	out := make([]float64, 0, len(list))
	for _, e := range list {
		n, _ := number(e)
		out = append(out, n)
	}
	return out
}

func objects(list []any) []object {
	out := make([]object, 0, len(list))
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}
