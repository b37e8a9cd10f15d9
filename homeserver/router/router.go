// Package router finds the route of a path, for the HTTP APIs of the homeserver. What a route is,
// who may use it and how it answers is theirs to say.
package router

import (
	"net/http"
	"net/url"
	"strings"
)

// Table has routes of type T by path and method. Paths are matched in their escaped form, part by
// part, so that an identifier may hold an escaped slash; a part {name} stands for any one part, and
// {name...} at the end for all the rest, also none. A slash at the end makes another path.
//
// It is filled first, and safe for concurrent use then.
type Table[T any] struct{ root node[T] }

type node[T any] struct {
	static map[string]*node[T]
	param  *node[T]
	tail   bool
	routes map[string]*T // by method
}

// Add adds a route. Two for one method and path are a mistake in the program: it panics.
func (r *Table[T]) Add(method, pattern string, rt *T) {
	n := &r.root
	for part := range strings.SplitSeq(strings.TrimPrefix(pattern, "/"), "/") {
		if strings.HasPrefix(part, "{") {
			if n.param == nil {
				n.param = &node[T]{tail: strings.HasSuffix(part, "...}")}
			}
			n = n.param
			continue
		}
		next := n.static[part]
		if next == nil {
			if n.static == nil {
				n.static = map[string]*node[T]{}
			}
			next = &node[T]{}
			n.static[part] = next
		}
		n = next
	}
	if n.routes == nil {
		n.routes = map[string]*T{}
	}
	if n.routes[method] != nil {
		panic("two routes for " + method + " " + pattern)
	}
	n.routes[method] = rt
}

// Find returns the routes at a path by method, nil for none, and the values of its parameters.
func (r *Table[T]) Find(escaped string) (routes map[string]*T, params []string) {
	n := &r.root
	rest, ok := strings.CutPrefix(escaped, "/")
	for ok {
		if n.param != nil && n.param.tail {
			if next := n.static[rest]; next != nil {
				return next.routes, params
			}
			v, err := url.PathUnescape(rest)
			if err != nil {
				return nil, nil
			}
			return n.param.routes, append(params, v)
		}
		var part string
		part, rest, ok = strings.Cut(rest, "/")
		if next := n.static[part]; next != nil {
			n = next
			continue
		}
		if n.param == nil {
			return nil, nil
		}
		v, err := url.PathUnescape(part)
		if err != nil {
			return nil, nil
		}
		n, params = n.param, append(params, v)
	}
	if n.routes == nil && n.param != nil && n.param.tail {
		return n.param.routes, append(params, "")
	}
	return n.routes, params
}

// Methods lists what a path can be asked for, for CORS and 405.
func Methods[T any](routes map[string]*T) string {
	var out []string
	for _, m := range [...]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if routes[m] != nil {
			out = append(out, m)
		}
	}
	return strings.Join(append(out, http.MethodOptions), ", ")
}
