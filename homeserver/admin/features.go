package admin

import (
	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// known are the features that could be switched for single users elsewhere. Here everybody has those that there are.
var known = map[string]bool{"msc3575": true, "msc3881": false, "msc4222": true}

// features is GET v1/experimental_features/{userId}.
func (a *Admin) features(c client.AdminCall) (any, error) {
	if _, _, err := a.account(c); err != nil {
		return nil, err
	}
	return object{"features": known}, nil
}

// setFeatures is PUT v1/experimental_features/{userId}: nothing can be changed, so only what is so already is taken.
func (a *Admin) setFeatures(c client.AdminCall) (any, error) {
	if _, _, err := a.account(c); err != nil {
		return nil, err
	}
	var q struct {
		Features map[string]bool `json:"features"`
	}
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	for name, on := range q.Features {
		have, ok := known[name]
		if !ok {
			return nil, mxerror.New(400, "M_UNKNOWN", "%q is not recognised as a valid experimental feature.", name)
		}
		if have != on {
			return nil, mxerror.New(400, "M_UNKNOWN", "%q can't be switched for single users on this server.", name)
		}
	}
	return nil, nil
}
