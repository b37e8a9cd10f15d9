package client

import (
	"encoding/json/jsontext"
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/push"
)

// pushRoutes mounts the endpoints of push rules. In earlier versions of the specification the scope
// was a parameter; what is no place for a rule is therefore a wrong parameter, 400, and has been with
// all servers.
func (a *API) pushRoutes() {
	const get, put, del = http.MethodGet, http.MethodPut, http.MethodDelete
	const rule = "/pushrules/global/{kind}/{ruleId}"
	a.on(get, v3, "/pushrules/", user, a.getPushRules)
	a.on(get, v3, "/pushrules/global/", user, a.getGlobalPushRules)
	a.on(get, v3, "/pushrules/global/{kind}/", user, a.getPushRuleKind)
	a.on(put, v3, "/pushrules/global/{kind}/", user, func(*call) (any, error) {
		return nil, mxerror.MissingParam("The id of the push rule is missing.")
	})
	nowhere := func(*call) (any, error) {
		return nil, mxerror.New(http.StatusBadRequest, "M_UNRECOGNIZED", "Push rules are at /pushrules/global/{kind}/{ruleId}.")
	}
	for _, path := range [...]string{"/pushrules/global", "/pushrules/{scope}", "/pushrules/{scope}/", "/pushrules/global/{kind}",
		"/pushrules/{scope}/{kind}", "/pushrules/{scope}/{kind}/", "/pushrules/{scope}/{kind}/{ruleId}", rule + "/{attr}"} {
		a.on(get, v3, path, user, nowhere)
		a.on(put, v3, path, user, nowhere)
	}
	a.on(get, v3, rule, user, a.getPushRule)
	a.on(put, v3, rule, user, a.putPushRule)
	a.on(del, v3, rule, user, a.deletePushRule)
	a.on(get, v3, rule+"/enabled", user, a.getPushRuleEnabled)
	a.on(put, v3, rule+"/enabled", user, a.putPushRuleEnabled)
	a.on(get, v3, rule+"/actions", user, a.getPushRuleActions)
	a.on(put, v3, rule+"/actions", user, a.putPushRuleActions)
}

// pushRules reads the caller's rules.
func (c *call) pushRules() (*push.Rules, error) {
	changes, err := push.Load(c.ctx, c.api.o.Store, c.session.User)
	if err != nil {
		return nil, err
	}
	return changes.Rules(c.session.UserID), nil
}

// pushRule reads the rule of the path.
func (c *call) pushRule() (r push.Rule, err error) {
	kind, err := push.ParseKind(c.params[0])
	if err != nil {
		return r, err
	}
	rules, err := c.pushRules()
	if err != nil {
		return r, err
	}
	return rules.Find(kind, c.params[1])
}

// changePushRule changes something about the rule of the path.
func (c *call) changePushRule(change func(ch *push.Changes, kind push.Kind, id string) error) error {
	kind, err := push.ParseKind(c.params[0])
	if err != nil {
		return err
	}
	return push.Update(c.ctx, c.api.o.Store, c.session.User, func(ch *push.Changes) error { return change(ch, kind, c.params[1]) })
}

// getPushRules is GET /pushrules/.
func (a *API) getPushRules(c *call) (any, error) {
	rules, err := c.pushRules()
	return map[string]*push.Rules{"global": rules}, err
}

// getGlobalPushRules is GET /pushrules/global/.
func (a *API) getGlobalPushRules(c *call) (any, error) { return c.pushRules() }

// getPushRuleKind is GET /pushrules/global/{kind}/, which the specification had once.
func (a *API) getPushRuleKind(c *call) (any, error) {
	kind, err := push.ParseKind(c.params[0])
	if err != nil {
		return nil, mxerror.InvalidParam("There is no such kind of push rule.").Because(err)
	}
	rules, err := c.pushRules()
	if err != nil {
		return nil, err
	}
	return rules.Of(kind), nil
}

// getPushRule is GET /pushrules/global/{kind}/{ruleId}.
func (a *API) getPushRule(c *call) (any, error) { return c.pushRule() }

// putPushRule is PUT /pushrules/global/{kind}/{ruleId}.
func (a *API) putPushRule(c *call) (any, error) {
	kind, err := push.ParseKind(c.params[0])
	if err != nil {
		// "400: There was a problem configuring this push rule."
		return nil, mxerror.InvalidParam("There is no such kind of push rule.").Because(err)
	}
	raw, err := c.rawBody()
	if err != nil {
		return nil, err
	}
	rule, err := push.ParseRule(kind, c.params[1], raw)
	if err != nil {
		return nil, err
	}
	return nil, c.changePushRule(func(ch *push.Changes, kind push.Kind, _ string) error {
		return ch.Put(kind, rule, c.query.Get("before"), c.query.Get("after"))
	})
}

// deletePushRule is DELETE /pushrules/global/{kind}/{ruleId}.
func (a *API) deletePushRule(c *call) (any, error) {
	return nil, c.changePushRule((*push.Changes).Delete)
}

// getPushRuleEnabled is GET /pushrules/global/{kind}/{ruleId}/enabled.
func (a *API) getPushRuleEnabled(c *call) (any, error) {
	r, err := c.pushRule()
	return map[string]bool{"enabled": r.Enabled}, err
}

// putPushRuleEnabled is PUT /pushrules/global/{kind}/{ruleId}/enabled.
func (a *API) putPushRuleEnabled(c *call) (any, error) {
	raw, err := c.rawBody()
	if err != nil {
		return nil, err
	}
	on, err := push.ParseEnabled(raw)
	if err != nil {
		return nil, err
	}
	return nil, c.changePushRule(func(ch *push.Changes, kind push.Kind, id string) error { return ch.Enable(kind, id, on) })
}

// getPushRuleActions is GET /pushrules/global/{kind}/{ruleId}/actions.
func (a *API) getPushRuleActions(c *call) (any, error) {
	r, err := c.pushRule()
	return map[string][]jsontext.Value{"actions": r.Actions}, err
}

// putPushRuleActions is PUT /pushrules/global/{kind}/{ruleId}/actions.
func (a *API) putPushRuleActions(c *call) (any, error) {
	raw, err := c.rawBody()
	if err != nil {
		return nil, err
	}
	actions, err := push.ParseActions(raw)
	if err != nil {
		return nil, err
	}
	return nil, c.changePushRule(func(ch *push.Changes, kind push.Kind, id string) error { return ch.SetActions(kind, id, actions) })
}
