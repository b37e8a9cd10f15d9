package app

import (
	"cmp"
	"context"
	"encoding/json/v2"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/web/console"
)

// probeTime bounds the trying of tokens.
const probeTime = 20 * time.Second

// SecretFile implements console.Backend.
func (b backend) SecretFile(name string) string {
	path := filepath.Join(b.s.current.Load().DataDir, "secrets", name)
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// SaveSecret implements console.Backend.
func (b backend) SaveSecret(file, secret string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return sentence.Errorf("keeping a secret: %s", err)
	}
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		return sentence.Errorf("keeping a secret: %s", err)
	}
	return nil
}

// ProbeTokens implements console.Backend.
func (b backend) ProbeTokens(ctx context.Context, kind string, tokens map[string]string, api string) (console.TokenFound, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	if kind == "slack" {
		return probeSlack(ctx, tokens, strings.TrimSuffix(cmp.Or(api, "https://slack.com/api/"), "/"))
	}
	return probeDiscord(ctx, tokens["token"], strings.TrimSuffix(cmp.Or(api, "https://discord.com/api/v10"), "/"))
}

// ask makes a request to a network's API and reads the JSON of the answer. The token is in no error.
func ask(ctx context.Context, method, address, authorization string, form url.Values, out any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", authorization)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(raw, out); err != nil && res.StatusCode == http.StatusOK {
		return 0, sentence.Errorf("%s answers something other than JSON", req.URL.Redacted())
	}
	return res.StatusCode, nil
}

// slackWords say what some of Slack's errors mean.
var slackWords = map[string]string{"invalid_auth": "the token is wrong", "account_inactive": "the app was removed from the workspace", "token_revoked": "the token was revoked",
	"missing_scope": "a scope is missing; docs/slack.md lists them", "not_allowed_token_type": "that is another kind of token"}

func probeSlack(ctx context.Context, tokens map[string]string, api string) (out console.TokenFound, err error) {
	call := func(method, token string, form url.Values, into any) error {
		var raw struct {
			OK    bool   `json:"ok"`
			Error string `json:"error"`
		}
		var all map[string]any
		if _, err := ask(ctx, http.MethodPost, api+"/"+method, "Bearer "+token, form, &all); err != nil {
			return sentence.Errorf("asking Slack: %s", err)
		}
		text, err := json.Marshal(all)
		if err != nil {
			return err
		}
		if err := errors.Join(json.Unmarshal(text, &raw), json.Unmarshal(text, into)); err != nil {
			return sentence.Errorf("reading Slack's answer: %s", err)
		}
		if !raw.OK {
			return sentence.Errorf("to %s Slack says %s: %s", method, raw.Error, cmp.Or(slackWords[raw.Error], "see api.slack.com/methods/"+method))
		}
		return nil
	}
	var who struct {
		Team string `json:"team"`
	}
	if err := call("auth.test", tokens["bot_token"], url.Values{}, &who); err != nil {
		return out, sentence.Errorf("the bot token: %s", err)
	}
	if err := call("apps.connections.open", tokens["app_token"], url.Values{}, &struct{}{}); err != nil {
		return out, sentence.Errorf("the app-level token: %s", err)
	}
	out.Name = cmp.Or(who.Team, "Slack")
	var list struct {
		Channels []struct {
			ID      string `json:"id"`
			Name    string `json:"name"`
			Members int    `json:"num_members"`
			In      bool   `json:"is_member"`
			Topic   struct {
				Value string `json:"value"`
			} `json:"topic"`
		} `json:"channels"`
	}
	if err := call("conversations.list", tokens["bot_token"], url.Values{"limit": {"200"}, "exclude_archived": {"true"}, "types": {"public_channel,private_channel"}}, &list); err != nil {
		out.Doubts = append(out.Doubts, sentence.Say("The channels could not be listed: %s", err))
	}
	for _, c := range list.Channels {
		out.Channels = append(out.Channels, console.TokenChannel{ID: c.ID, Name: "#" + c.Name, Topic: c.Topic.Value, People: c.Members, Ready: c.In})
	}
	return out, nil
}

// Flags of a Discord application by which it has intents that not everybody gets.
const (
	flagMembers = 1<<14 | 1<<15
	flagContent = 1<<18 | 1<<19
)

func probeDiscord(ctx context.Context, token, api string) (out console.TokenFound, err error) {
	get := func(path string, into any) error {
		status, err := ask(ctx, http.MethodGet, api+path, "Bot "+token, nil, into)
		switch {
		case err != nil:
			return sentence.Errorf("asking Discord: %s", err)
		case status == http.StatusUnauthorized:
			return sentence.Errorf("the token is wrong, says Discord")
		case status != http.StatusOK:
			return sentence.Errorf("the answer of Discord to %s is %d", path, status)
		}
		return nil
	}
	var bot struct {
		Name string `json:"username"`
	}
	if err := get("/users/@me", &bot); err != nil {
		return out, err
	}
	out.Name = "the bot " + bot.Name
	var app struct {
		Flags int `json:"flags"`
	}
	if err := get("/applications/@me", &app); err == nil {
		if app.Flags&flagMembers == 0 {
			out.Doubts = append(out.Doubts, sentence.Say("The intent for server members is off: switch it on under Bot, or nobody's name is known."))
		}
		if app.Flags&flagContent == 0 {
			out.Doubts = append(out.Doubts, sentence.Say("The intent for message content is off: switch it on under Bot, or all messages are empty."))
		}
	}
	var guilds []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	if err := get("/users/@me/guilds", &guilds); err != nil {
		return out, nil // then all of them are bridged
	}
	if len(guilds) == 0 {
		out.Doubts = append(out.Doubts, sentence.Say("The bot is in no server yet: invite it."))
	}
	for _, g := range guilds[:min(len(guilds), 10)] {
		var channels []struct {
			ID    string `json:"id"`
			Type  int    `json:"type"`
			Name  string `json:"name"`
			Topic string `json:"topic"`
		}
		if get("/guilds/"+url.PathEscape(g.ID)+"/channels", &channels) != nil {
			continue
		}
		for _, c := range channels {
			if c.Type == 0 || c.Type == 5 || c.Type == 15 { // text, announcements, forum
				out.Channels = append(out.Channels, console.TokenChannel{ID: c.ID, Name: g.Name + " #" + c.Name, Topic: c.Topic, Ready: true})
			}
		}
	}
	return out, nil
}
