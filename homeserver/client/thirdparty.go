package client

import (
	"maps"
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/appservices"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

func (a *API) thirdPartyRoutes() {
	const get = http.MethodGet
	a.on(get, v3, "/thirdparty/protocols", user, a.protocols)
	a.on(get, v3, "/thirdparty/protocol/{protocol}", user, a.protocol)
	for _, kind := range []appservices.Third{appservices.Users, appservices.Locations} {
		a.on(get, v3, "/thirdparty/"+string(kind)+"/{protocol}", user, a.thirdParty(kind))
	}
	a.on(get, v3, "/thirdparty/user", user, a.thirdPartyOf(appservices.Users, "userid", checkUserID))
	a.on(get, v3, "/thirdparty/location", user, a.thirdPartyOf(appservices.Locations, "alias", checkAlias))
	const network = "/directory/list/appservice/{networkId}/{roomId}"
	a.on(http.MethodPut, v3, network, user, a.putNetworkVisibility)
	a.on(http.MethodDelete, v3, network, anyone, a.deleteNetworkRoom)
}

// protocols is GET /thirdparty/protocols.
func (a *API) protocols(c *call) (any, error) { return a.o.Services.Protocols(c.ctx), nil }

// protocol is GET /thirdparty/protocol/{protocol}.
func (a *API) protocol(c *call) (any, error) {
	p, ok := a.o.Services.Protocol(c.ctx, c.params[0])
	if !ok {
		return nil, mxerror.NotFound("The protocol is not known here.")
	}
	return p, nil
}

// thirdParty is GET /thirdparty/user/{protocol} and GET /thirdparty/location/{protocol}: "One or
// more custom fields that are passed to the AS".
func (a *API) thirdParty(kind appservices.Third) handler {
	return func(c *call) (any, error) {
		if !a.o.Services.Speaks(c.params[0]) {
			return nil, mxerror.NotFound("The protocol is not known here.")
		}
		fields := maps.Clone(c.query)
		delete(fields, "access_token")
		if c.session.Service != nil {
			delete(fields, "user_id") // says as whom the service asks
			delete(fields, "device_id")
		}
		found := a.o.Services.ThirdParty(c.ctx, kind, c.params[0], fields)
		if len(found) == 0 {
			return nil, mxerror.NotFound("Nothing was found.")
		}
		return found, nil
	}
}

// thirdPartyOf is GET /thirdparty/user and GET /thirdparty/location, the way back.
func (a *API) thirdPartyOf(kind appservices.Third, name string, check func(string) error) handler {
	return func(c *call) (any, error) {
		id := c.query.Get(name)
		if id == "" {
			return nil, mxerror.MissingParam("%s is missing.", name)
		}
		if err := check(id); err != nil {
			return nil, err
		}
		found := a.o.Services.ThirdPartyOf(c.ctx, kind, id)
		if len(found) == 0 {
			return nil, mxerror.NotFound("Nothing was found.")
		}
		return found, nil
	}
}
