package lottie_test

import (
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/landbridge-im/landbridge/internal/lottie"
	. "github.com/landbridge-im/landbridge/internal/lottie/lottietest"
)

// strange are values that no exporter would write where they will stand.
var strange = []any{
	nil, true, "x", "", -1.0, 0.0, 0.5, 1e300, -1e300, 1e-300, 255.0, 3.0, L{}, L{1.0}, L{1.0, 2.0, 3.0, 4.0, 5.0}, L{L{}}, M{}, L{M{}}, M{"k": L{M{"t": 1.0}}},
	M{"a": 1.0, "k": L{M{"t": 5.0, "s": L{-1e9}}, M{"t": 5.0, "s": L{1e9, 1e9}}, M{"t": 9.0}}}, M{"s": true, "x": M{"k": 3.0}},
}

// mutate changes some values within v.
func mutate(r *rand.Rand, v any, chance float64) any {
	if r.Float64() < chance {
		return strange[r.IntN(len(strange))]
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			v[k] = mutate(r, v[k], chance)
		}
	case []any:
		for i, e := range v {
			v[i] = mutate(r, e, chance)
		}
		if len(v) > 0 && r.Float64() < chance {
			return append(v, v[r.IntN(len(v))])
		}
	}
	return v
}

// TestMutated draws documents in which anything stands in any place. LANDBRIDGE_LOTTIE_MUTATIONS is how often each is changed.
func TestMutated(t *testing.T) {
	t.Parallel()
	times := 8
	if n, err := strconv.Atoi(os.Getenv("LANDBRIDGE_LOTTIE_MUTATIONS")); err == nil {
		times = n
	}
	for i, d := range Documents() {
		r := rand.New(rand.NewPCG(uint64(i), uint64(times)))
		for range times {
			var v any
			if err := json.Unmarshal(d.JSON, &v); err != nil {
				t.Fatal(err)
			}
			o := v.(map[string]any)
			for _, key := range []string{"layers", "assets", "chars", "fonts"} {
				o[key] = mutate(r, o[key], 0.02)
			}
			raw, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := lottie.Parse(raw)
			if err != nil {
				continue
			}
			for _, at := range []float64{0, 0.7} {
				if _, err := doc.Frame(t.Context(), at, 24, 24); err != nil && !errors.Is(err, lottie.ErrTooMuchWork) {
					t.Errorf("%s: %v\n%s", d.Name, err, raw)
				}
			}
		}
	}
}
