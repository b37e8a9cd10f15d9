package client

import (
	"net/http"
	"net/url"
	"strings"
)

// router finds the route of a path. Paths are matched in their escaped form, part by part, so
// that an identifier may hold an escaped slash; a part {name} stands for any one part, and
// {name...} at the end for all the rest, also none. A slash at the end makes another path.
type router struct{ root node }

type node struct {
	static map[string]*node
	param  *node
	tail   bool
	routes map[string]*route // by method
}

// route is one endpoint: a method and a path.
type route struct {
	pattern string
	access  access
	handle  handler
	// raw routes write their answer themselves.
	raw func(*call) error
}

func (r *router) add(method, pattern string, rt *route) {
	n := &r.root
	for part := range strings.SplitSeq(strings.TrimPrefix(pattern, "/"), "/") {
		if strings.HasPrefix(part, "{") {
			if n.param == nil {
				n.param = &node{tail: strings.HasSuffix(part, "...}")}
			}
			n = n.param
			continue
		}
		next := n.static[part]
		if next == nil {
			if n.static == nil {
				n.static = map[string]*node{}
			}
			next = &node{}
			n.static[part] = next
		}
		n = next
	}
	if n.routes == nil {
		n.routes = map[string]*route{}
	}
	if n.routes[method] != nil {
		panic("two routes for " + method + " " + pattern)
	}
	n.routes[method] = rt
}

// find returns the routes at a path and the values of its parameters.
func (r *router) find(escaped string) (routes map[string]*route, params []string) {
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

// methods lists what a path can be asked for, for CORS and 405.
func methods(routes map[string]*route) string {
	var out []string
	for _, m := range [...]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if routes[m] != nil {
			out = append(out, m)
		}
	}
	return strings.Join(append(out, http.MethodOptions), ", ")
}
