package push

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// Limits of one rule: the bytes of its id and of the request that sets it, and how many
// conditions and actions it may have.
const (
	maxID    = 255
	maxRule  = 16 << 10
	maxItems = 64
)

// ParseRule reads the body of a request that sets one of a user's own rules.
func ParseRule(k Kind, id string, body []byte) (Rule, error) {
	r := Rule{ID: id, Enabled: true}
	if err := checkID(id); err != nil {
		return r, err
	}
	var q struct {
		Actions    *[]jsontext.Value `json:"actions"`
		Conditions []jsontext.Value  `json:"conditions"`
		Pattern    *string           `json:"pattern"`
	}
	if err := decode(body, &q); err != nil {
		return r, err
	}
	var err error
	if r.Actions, err = checkActions(q.Actions); err != nil {
		return r, err
	}
	switch {
	case k == Content:
		if q.Pattern == nil {
			return r, mxerror.MissingParam("A content rule needs a pattern.")
		}
		r.Pattern = q.Pattern
	case k.conditional():
		if len(q.Conditions) > maxItems {
			return r, mxerror.InvalidParam("A push rule can have at most %d conditions.", maxItems)
		}
		r.Conditions = make([]jsontext.Value, 0, len(q.Conditions))
		for i, raw := range q.Conditions {
			if _, err := parseCondition(raw); err != nil {
				return r, at(err, "conditions", i)
			}
			r.Conditions = append(r.Conditions, compact(raw))
		}
	}
	return r, nil
}

// ParseActions reads the body of a request that sets a rule's actions.
func ParseActions(body []byte) ([]jsontext.Value, error) {
	var q struct {
		Actions *[]jsontext.Value `json:"actions"`
	}
	if err := decode(body, &q); err != nil {
		return nil, err
	}
	return checkActions(q.Actions)
}

// ParseEnabled reads the body of a request that enables or disables a rule.
func ParseEnabled(body []byte) (bool, error) {
	var q struct {
		Enabled *bool `json:"enabled"`
	}
	if err := decode(body, &q); err != nil {
		return false, err
	}
	if q.Enabled == nil {
		return false, mxerror.MissingParam("enabled is missing.")
	}
	return *q.Enabled, nil
}

// checkID checks the id of a user's rule: "If the string starts with a dot ("."), the request
// MUST be rejected as this is reserved for server-default rules. Slashes ("/") and backslashes
// ("\\") are also not allowed."
func checkID(id string) error {
	switch {
	case id == "":
		return mxerror.InvalidParam("The id of a push rule must not be empty.")
	case len(id) > maxID:
		return mxerror.InvalidParam("The id of a push rule can have at most %d bytes.", maxID)
	case !utf8.ValidString(id):
		return mxerror.InvalidParam("The id of a push rule must be valid UTF-8.")
	case id[0] == '.':
		return mxerror.InvalidParam("The ids of server-default rules begin with a dot, so those of users' rules can't.")
	case strings.ContainsAny(id, `/\`):
		return mxerror.InvalidParam("The id of a push rule must have no slash or backslash in it.")
	}
	return nil
}

// decode reads a body. Repeated names are refused: what is kept must be readable by everybody.
func decode(body []byte, dst any) error {
	if len(body) > maxRule {
		return mxerror.TooLarge("A push rule can have at most %d KiB.", maxRule>>10)
	}
	v := jsontext.Value(body)
	if !v.IsValid(jsontext.AllowDuplicateNames(true)) {
		return mxerror.NotJSON("The request's body is not valid JSON.")
	}
	if v.Kind() != '{' {
		return mxerror.BadJSON("The request's body must be a JSON object.")
	}
	if !v.IsValid() {
		return mxerror.BadJSON("In the request's body, an object has the same name twice.")
	}
	err := json.Unmarshal(v, dst)
	var sem *json.SemanticError
	if errors.As(err, &sem) {
		place := strings.ReplaceAll(strings.TrimPrefix(string(sem.JSONPointer), "/"), "/", ".")
		return mxerror.InvalidParam("%s has the wrong type.", place).Because(err)
	}
	return err
}

// checkActions checks a rule's actions. "Clients and homeservers MUST ignore these actions
// [dont_notify and coalesce]": they have no effect, but are kept for the clients that set them and
// look whether they are there.
func checkActions(actions *[]jsontext.Value) ([]jsontext.Value, error) {
	if actions == nil {
		return nil, mxerror.MissingParam("actions is missing.")
	}
	if len(*actions) > maxItems {
		return nil, mxerror.InvalidParam("A push rule can have at most %d actions.", maxItems)
	}
	out := make([]jsontext.Value, 0, len(*actions))
	for i, raw := range *actions {
		if _, err := parseAction(raw); err != nil {
			return nil, at(err, "actions", i)
		}
		out = append(out, compact(raw))
	}
	return out, nil
}

// action is one action of a rule.
type action struct {
	notify     bool
	historical bool
	// tweak, when not empty, is the tweak to set, and value to what; nil for none given.
	tweak string
	value jsontext.Value
}

func parseAction(raw jsontext.Value) (a action, err error) {
	if raw.Kind() == '"' {
		var name string
		if err := json.Unmarshal(raw, &name); err != nil {
			return a, mxerror.InvalidParam("it is not valid.").Because(err)
		}
		switch name {
		case "notify":
			a.notify = true
		case "dont_notify", "coalesce":
			a.historical = true
		default:
			return a, mxerror.InvalidParam("there is no such action; there are \"notify\" and {\"set_tweak\": ...}.")
		}
		return a, nil
	}
	if raw.Kind() != '{' {
		return a, mxerror.InvalidParam("an action is a string or an object.")
	}
	var q struct {
		Tweak *string        `json:"set_tweak"`
		Value jsontext.Value `json:"value"`
	}
	if err := json.Unmarshal(raw, &q); err != nil {
		return a, mxerror.InvalidParam("set_tweak must be a string.").Because(err)
	}
	if q.Tweak == nil || *q.Tweak == "" {
		return a, mxerror.MissingParam("an action that is an object needs a set_tweak.")
	}
	return action{tweak: *q.Tweak, value: q.Value}, nil
}

// at says where in a list an error is.
func at(err error, list string, i int) error {
	e, ok := mxerror.As(err)
	if !ok {
		return err
	}
	return mxerror.New(e.Status, e.Code, "%s[%d]: %s", list, i, e.Message).Because(e.Cause)
}

// compact returns a copy without white space.
func compact(v jsontext.Value) jsontext.Value {
	v = v.Clone()
	// Only invalid values can't be made compact, and this one has been read.
	_ = v.Compact()
	return v
}
