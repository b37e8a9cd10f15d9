package pushers

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// Kinds of pushers.
const (
	kindHTTP  = "http"
	kindEmail = "email"
	// kindWebPush is of MSC4174, and kindWebPushOld its name until it is in the specification.
	kindWebPush    = "webpush"
	kindWebPushOld = "org.matrix.msc4174.webpush"
)

func isWebPush(kind string) bool { return kind == kindWebPush || kind == kindWebPushOld }

// Bounds of a pusher: "Max length, 512 bytes" of pushkey and "Max length, 64 chars" of app_id; the
// others are ours.
const (
	maxPushkey = 512
	maxAppID   = 64
	maxText    = 512
	maxData    = 8 << 10
	maxPushers = 50 // of one user
)

// notifyPath is where gateways listen: data.url "MUST be an HTTPS URL with a path of
// /_matrix/push/v1/notify".
const notifyPath = "/_matrix/push/v1/notify"

// Request is the body of POST /pushers/set.
type Request struct {
	Pushkey string         `json:"pushkey"`
	Kind    jsontext.Value `json:"kind"`
	AppID   string         `json:"app_id"`
	details
	Append bool `json:"append"`
}

// details are what is stored of a pusher as JSON.
type details struct {
	AppName    *string        `json:"app_display_name,omitzero"`
	DeviceName *string        `json:"device_display_name,omitzero"`
	ProfileTag string         `json:"profile_tag"`
	Lang       *string        `json:"lang,omitzero"`
	Data       jsontext.Value `json:"data,omitzero"`
}

// kind checks a request and tells the kind of pusher; "" to delete it.
func (r *Request) kind(insecure bool) (string, error) {
	var missing []string
	need := func(name string, there bool) {
		if !there {
			missing = append(missing, name)
		}
	}
	gone := func() error {
		if len(missing) == 0 {
			return nil
		}
		return mxerror.MissingParam("Missing parameters: %s", strings.Join(missing, ", "))
	}
	need("kind", len(r.Kind) > 0)
	need("app_id", r.AppID != "")
	need("pushkey", r.Pushkey != "")
	if err := gone(); err != nil {
		return "", err
	}
	if len(r.Pushkey) > maxPushkey {
		return "", mxerror.InvalidParam("pushkey can have at most %d bytes.", maxPushkey)
	}
	if utf8.RuneCountInString(r.AppID) > maxAppID {
		return "", mxerror.InvalidParam("app_id can have at most %d characters.", maxAppID)
	}
	if r.Kind.Kind() == 'n' {
		return "", nil
	}
	var kind string
	if err := json.Unmarshal(r.Kind, &kind); err != nil {
		return "", mxerror.InvalidParam("kind must be \"http\", \"email\", \"webpush\" or null.").Because(err)
	}
	need("app_display_name", r.AppName != nil)
	need("device_display_name", r.DeviceName != nil)
	need("lang", r.Lang != nil)
	need("data", len(r.Data) > 0 && r.Data.Kind() != 'n')
	if err := gone(); err != nil {
		return "", err
	}
	for name, s := range map[string]string{"app_display_name": *r.AppName, "device_display_name": *r.DeviceName, "lang": *r.Lang, "profile_tag": r.ProfileTag} {
		if len(s) > maxText {
			return "", mxerror.InvalidParam("%s can have at most %d bytes.", name, maxText)
		}
	}
	if r.Data.Kind() != '{' || !r.Data.IsValid() {
		return "", mxerror.InvalidParam("data must be an object, without a name twice.")
	}
	if len(r.Data) > maxData {
		return "", mxerror.TooLarge("data can have at most %d KiB.", maxData>>10)
	}
	switch kind {
	case kindHTTP:
		_, err := gateway(r.Data, insecure)
		return kind, err
	case kindWebPush, kindWebPushOld:
		_, err := pushService(r.Pushkey, r.Data, insecure)
		return kind, err
	case kindEmail:
		// "If the kind is email, this is m.email."
		if r.AppID != "m.email" {
			return "", mxerror.InvalidParam("The app_id of an e-mail pusher is m.email.")
		}
		return kind, nil
	}
	return "", mxerror.InvalidParam("kind must be \"http\", \"email\", \"webpush\" or null.")
}

// target is what data says to an HTTP pusher.
type target struct {
	url  string
	host string
	// idOnly is data.format event_id_only.
	idOnly bool
	// rest is data without the url, for the gateway.
	rest jsontext.Value
	// web is whom a message is encrypted for, of Web Push; eventsOnly wants no messages that only tell
	// a count.
	web        *browser
	eventsOnly bool
}

// pushService reads the data of a Web Push pusher. insecure allows plain HTTP.
func pushService(pushkey string, data jsontext.Value, insecure bool) (t target, err error) {
	var d struct {
		URL        string `json:"url"`
		Auth       string `json:"auth"`
		Format     string `json:"format"`
		EventsOnly bool   `json:"events_only"`
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return t, mxerror.InvalidParam("data has a member of the wrong type.").Because(err)
	}
	if d.URL == "" || d.Auth == "" {
		return t, mxerror.MissingParam("Missing parameters: data.url, data.auth")
	}
	u, err := url.Parse(d.URL)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !insecure) {
		return t, mxerror.InvalidParam("data.url is not an https address.")
	}
	t = target{url: d.URL, host: u.Host, idOnly: d.Format == "event_id_only", eventsOnly: d.EventsOnly}
	if t.web, err = newBrowser(pushkey, d.Auth); err != nil {
		return t, mxerror.InvalidParam("%s.", err.Error())
	}
	return t, nil
}

// gateway reads the data of an HTTP pusher. insecure allows plain HTTP.
func gateway(data jsontext.Value, insecure bool) (t target, err error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(data, &members); err != nil {
		return t, mxerror.InvalidParam("data must be an object.").Because(err)
	}
	raw, ok := members["url"]
	if !ok {
		return t, mxerror.MissingParam("Missing parameters: data.url")
	}
	if err := json.Unmarshal(raw, &t.url); err != nil {
		return t, mxerror.InvalidParam("data.url must be a string.").Because(err)
	}
	u, err := url.Parse(t.url)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "" {
		return t, mxerror.InvalidParam("data.url is not an https address.")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !insecure) {
		return t, mxerror.InvalidParam("data.url must begin with https://.")
	}
	if u.EscapedPath() != notifyPath {
		return t, mxerror.InvalidParam("data.url must have the path %s.", notifyPath)
	}
	t.host = u.Host
	if raw, ok := members["format"]; ok {
		var format string
		if err := json.Unmarshal(raw, &format); err != nil {
			return t, mxerror.InvalidParam("data.format must be a string.").Because(err)
		}
		t.idOnly = format == "event_id_only"
	}
	delete(members, "url")
	t.rest, err = json.Marshal(members, json.Deterministic(true))
	return t, err
}
