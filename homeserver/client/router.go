package client

import "github.com/landbridge-im/landbridge/homeserver/router"

// routeTable finds the route of a path.
type routeTable struct{ table router.Table[route] }

// route is one endpoint: a method and a path.
type route struct {
	pattern string
	access  access
	handle  handler
	// raw routes write their answer themselves.
	raw func(*call) error
}

func (r *routeTable) add(method, pattern string, rt *route) { r.table.Add(method, pattern, rt) }

// find returns the routes at a path and the values of its parameters.
func (r *routeTable) find(escaped string) (map[string]*route, []string) { return r.table.Find(escaped) }

// methods lists what a path can be asked for, for CORS and 405.
func methods(routes map[string]*route) string { return router.Methods(routes) }
