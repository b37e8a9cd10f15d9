package console

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/landbridge-im/landbridge/internal/sentence"
)

// TokenFound is what was learned of a network that lets apps in with tokens.
type TokenFound struct {
	// Name is that of the workspace, or of the bot; ID suggests a short name.
	Name, ID string
	// Channels are those that can be bridged; none if they can't be listed.
	Channels []TokenChannel
	// Doubts are things that are missing, with what to do.
	Doubts []sentence.Text
}

// TokenChannel is a channel of such a network.
type TokenChannel struct {
	ID, Name, Topic string
	People          int
	// Ready tells that the app is in it already.
	Ready bool
}

// tokenField is a token to be pasted.
type tokenField struct{ Key, Label, Begins string }

// tokenKind is a network of this kind.
type tokenKind struct {
	Module, Title string
	Steps         []tokenStep
	Fields        []tokenField
	// entry makes the configuration. files are the tokens, or the files with them.
	entry func(d tokenDraft, inline bool) any
}

var tokenKinds = map[string]tokenKind{
	"slack": {Module: "slack", Title: "Slack",
		Steps:  slackSteps,
		Fields: []tokenField{{"app_token", "App-level token", "xapp-"}, {"bot_token", "Bot token", "xoxb-"}}, entry: slackEntry},
	"discord": {Module: "discord", Title: "Discord",
		Steps:  discordSteps,
		Fields: []tokenField{{"token", "Token of the bot", ""}}, entry: discordEntry},
}

// tokenDraft is such a network as it is being set up. It is kept in memory and not in pages, because of
// the tokens.
type tokenDraft struct {
	kind     string
	ID, API  string
	tokens   map[string]string
	files    map[string]string
	Channels []string
	found    TokenFound
}

// token is a token, or the key and name of its file.
func (d tokenDraft) token(m map[string]any, key string, inline bool) {
	if inline {
		m[key] = d.tokens[key]
	} else {
		m[key+"_file"] = d.files[key]
	}
}

func slackEntry(d tokenDraft, inline bool) any {
	w := map[string]any{"id": d.ID}
	d.token(w, "app_token", inline)
	d.token(w, "bot_token", inline)
	if d.API != "" {
		w["api_url"] = d.API
	}
	if len(d.Channels) > 0 {
		w["channels"] = map[string]any{"include": d.Channels}
	}
	return map[string]any{"workspaces": []any{w}}
}

func discordEntry(d tokenDraft, inline bool) any {
	c := map[string]any{}
	d.token(c, "token", inline)
	if d.API != "" {
		c["api_url"] = d.API
	}
	if len(d.Channels) > 0 {
		c["channels"] = map[string]any{"include": d.Channels}
	}
	return c
}

// yaml is the bridge as the configuration file will have it.
func (d tokenDraft) yaml(inline bool) (string, error) {
	k := tokenKinds[d.kind]
	var b strings.Builder
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	err := enc.Encode(struct {
		ID     string `yaml:"id"`
		Module string `yaml:"module"`
		Config any    `yaml:"config"`
	}{d.bridge(), k.Module, k.entry(d, inline)})
	if err != nil {
		return "", fmt.Errorf("writing the entry: %w", err)
	}
	return b.String(), enc.Close()
}

// bridge is the id of the bridge.
func (d tokenDraft) bridge() string { return d.kind + "-" + d.ID }

type tokenView struct {
	Kind              string
	K                 tokenKind
	Step, Key         string
	Error             sentence.Text
	ID, API           string
	Found             TokenFound
	Picked            map[string]bool
	All               bool
	YAML, File, Title string
	// Examine is the key of what the doctor can look at.
	Examine string
}

func (c *Console) setupToken(v *visit) error {
	kind := v.r.PathValue("kind")
	k, ok := tokenKinds[kind]
	if !ok {
		return problemf("There is no network %q to set up.", kind)
	}
	if c.o.Manifest != nil {
		manifest, err := c.o.Manifest()
		if err != nil {
			return err
		}
		k.Steps = slices.Clone(k.Steps)
		for i := range k.Steps {
			if k.Steps[i].Code == "manifest" {
				k.Steps[i].Code = string(manifest)
			}
		}
	}
	out := tokenView{Kind: kind, K: k, Step: stepConnect, ID: kind, Picked: map[string]bool{}}
	f := v.r.PostForm
	if f == nil {
		return c.tokenPage(v, out)
	}
	if f.Get("step") == stepChannels {
		return c.tokenConnect(v, out, f)
	}
	d, ok := c.drafts.get(c.o.Now(), f.Get("key"), v.who.User)
	if !ok {
		out.Error = say("That took too long; paste the tokens again.")
		return c.tokenPage(v, out)
	}
	out.Key, out.Found, out.ID, out.API = f.Get("key"), d.found, d.ID, d.API
	if out.All = f.Get("all") == "yes"; !out.All {
		d.Channels = f["channel"]
		for _, id := range d.Channels {
			out.Picked[id] = true
		}
	}
	if !out.All && len(d.Channels) == 0 {
		out.Step, out.Error = stepChannels, say("Pick a channel, or choose all.")
		return c.tokenPage(v, out)
	}
	secret, err := d.yaml(true)
	if err != nil {
		return err
	}
	if out.File, err = c.o.Backend.CheckBridge(v.ctx, secret); err != nil {
		out.Step, out.Error = stepChannels, sentence.Of(err)
		return c.tokenPage(v, out)
	}
	d.files = map[string]string{}
	for _, field := range k.Fields {
		d.files[field.Key] = c.o.Backend.SecretFile(d.bridge() + "-" + field.Key)
	}
	if out.YAML, err = d.yaml(false); err != nil {
		return err
	}
	if out.Step = stepReview; f.Get("step") != stepDone {
		out.Examine = c.examinees.put(c.o.Now(), v.who.User, secret)
		return c.tokenPage(v, out)
	}
	return c.tokenDone(v, out, d)
}

// tokenConnect tries the tokens.
func (c *Console) tokenConnect(v *visit, out tokenView, f url.Values) error {
	d := &tokenDraft{kind: out.Kind, ID: strings.TrimSpace(f.Get("id")), API: strings.TrimSpace(f.Get("api")), tokens: map[string]string{}}
	out.ID, out.API = d.ID, d.API
	for _, field := range out.K.Fields {
		d.tokens[field.Key] = strings.TrimSpace(f.Get(field.Key))
		if t := d.tokens[field.Key]; t == "" || !strings.HasPrefix(t, field.Begins) || strings.ContainsAny(t, " \r\n\t") {
			if out.Error = say("The field “%s” does not have one.", say(field.Label)); field.Begins != "" {
				out.Error = say("The field “%s” does not have one: it begins with %s.", say(field.Label), field.Begins)
			}
			return c.tokenPage(v, out)
		}
	}
	if err := (ircDraft{ID: d.ID, Address: "x", Nick: "x"}).check(); err != nil {
		out.Error = sentence.Of(err)
		return c.tokenPage(v, out)
	}
	found, err := c.o.Backend.ProbeTokens(v.ctx, out.Kind, d.tokens, d.API)
	if err != nil {
		out.Error = sentence.Of(err)
		return c.tokenPage(v, out)
	}
	d.found, out.Found = found, found
	out.Key, out.Step, out.All = c.drafts.put(c.o.Now(), v.who.User, *d), stepChannels, len(found.Channels) == 0
	return c.tokenPage(v, out)
}

func (c *Console) tokenDone(v *visit, out tokenView, d tokenDraft) error {
	id := d.bridge()
	return v.act("set up", "bridge "+id, out.YAML, freshBridge(id, len(d.Channels)), say("The bridge is written to %s and has been started.", out.File), func() error {
		ctx := context.WithoutCancel(v.ctx)
		for key, token := range d.tokens {
			if err := c.o.Backend.SaveSecret(d.files[key], token); err != nil {
				return err
			}
		}
		if _, err := c.o.Backend.AddBridge(ctx, out.YAML); err != nil {
			return err
		}
		c.drafts.drop(out.Key)
		return nil
	})
}

func (c *Console) tokenPage(v *visit, out tokenView) error {
	titles := map[string]string{stepConnect: "Set up %s: the app", stepChannels: "Set up %s: the channels", stepReview: "Set up %s: look it over"}
	return v.show("/setup", say(titles[out.Step], out.K.Title), "setup-token", out)
}
