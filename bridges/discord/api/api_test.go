package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

const intents = 1 | 1<<1 | 1<<9 | 1<<10 | 1<<15

func pair(t *testing.T) (*discordtest.Server, *api.Client, context.Context) {
	t.Helper()
	s, err := discordtest.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	c, err := api.New(api.Options{
		Token: s.Token, APIURL: s.URL(), CDNURL: s.CDN(), Intents: intents,
		BackoffMin: 10 * time.Millisecond, BackoffMax: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return s, c, ctx
}

// run runs the gateway and returns its events.
func run(ctx context.Context, t *testing.T, c *api.Client) <-chan api.Event {
	t.Helper()
	events := make(chan api.Event, 1000)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.Run(ctx, func(e api.Event) { events <- e }); err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return events
}

func await(ctx context.Context, t *testing.T, events <-chan api.Event, kind string) api.Event {
	t.Helper()
	for {
		select {
		case e := <-events:
			if e.Type == kind {
				return e
			}
		case <-ctx.Done():
			t.Fatalf("no %s came", kind)
		}
	}
}

func TestGatewayResumesAndReidentifies(t *testing.T) {
	t.Parallel()
	s, c, ctx := pair(t)
	owner := s.AddUser("owner")
	g := s.AddGuild("Guild", owner)
	ch := s.AddChannel(g, 0, "general", "")
	events := run(ctx, t, c)
	await(ctx, t, events, "READY")
	await(ctx, t, events, "GUILD_CREATE")
	for round := range 3 {
		s.DropConnections()
		s.Say(ch, owner, fmt.Sprintf("missed %d", round), nil)
		var m wire.Message
		if err := wire.Decode(await(ctx, t, events, "MESSAGE_CREATE").Data, &m); err != nil || m.Content != fmt.Sprintf("missed %d", round) {
			t.Fatalf("%q, %v", m.Content, err)
		}
		await(ctx, t, events, "RESUMED")
	}
	s.ForgetSessions()
	s.DropConnections()
	await(ctx, t, events, "READY")
	await(ctx, t, events, "GUILD_CREATE")
	s.Say(ch, owner, "again", nil)
	await(ctx, t, events, "MESSAGE_CREATE")
}

func TestGatewayRefusals(t *testing.T) {
	t.Parallel()
	s, _, ctx := pair(t)
	bad, err := api.New(api.Options{Token: "wrong", APIURL: s.URL(), Intents: intents})
	if err != nil {
		t.Fatal(err)
	}
	var fatal *api.Fatal
	if err := bad.Run(ctx, func(api.Event) {}); !errors.As(err, &fatal) || fatal.Code != 4004 || !strings.Contains(err.Error(), "token") {
		t.Errorf("a wrong token: %v", err)
	}
	s.DisallowIntents()
	good, err := api.New(api.Options{Token: s.Token, APIURL: s.URL(), Intents: intents})
	if err != nil {
		t.Fatal(err)
	}
	if err := good.Run(ctx, func(api.Event) {}); !errors.As(err, &fatal) || fatal.Code != 4014 || !strings.Contains(err.Error(), "Message Content Intent") {
		t.Errorf("intents that are not allowed: %v", err)
	}
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	s, c, ctx := pair(t)
	g := s.AddGuild("Guild", s.AddUser("owner"))
	slow, quick := s.AddChannel(g, 0, "slow", ""), s.AddChannel(g, 0, "quick", "")
	s.Limit("/channels/"+slow.ID, 2, 300*time.Millisecond)
	began := time.Now()
	done := make(chan time.Duration)
	go func() {
		for range 6 {
			if err := c.Do(ctx, http.MethodGet, "/channels/"+slow.ID, "slow", nil, nil); err != nil {
				t.Error(err)
			}
		}
		done <- time.Since(began)
	}()
	for range 20 {
		if err := c.Do(ctx, http.MethodGet, "/channels/"+quick.ID, "quick", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	fast := time.Since(began)
	if took := <-done; took < 500*time.Millisecond || fast > took {
		t.Errorf("the limited requests took %v, the others %v", took, fast)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	s, c, ctx := pair(t)
	err := c.Do(ctx, http.MethodGet, "/channels/1", "", nil, nil)
	if !api.IsCode(err, 10003) || !api.Refused(err) {
		t.Errorf("%v", err)
	}
	err = c.Do(ctx, http.MethodPost, "/webhooks/1/secret-token?wait=true", "", map[string]string{"content": "x"}, nil)
	if !api.IsCode(err, 10015) || strings.Contains(err.Error(), "secret-token") {
		t.Errorf("%v", err)
	}
	s.Fail(func(*http.Request) int { return 502 })
	if err := c.Do(ctx, http.MethodGet, "/users/@me", "", nil, nil); err == nil || api.Refused(err) {
		t.Errorf("%v", err)
	}
	s.Close()
	err = c.Do(ctx, http.MethodPost, "/webhooks/1/secret-token", "", nil, nil)
	if err == nil || api.Refused(err) || strings.Contains(err.Error(), "secret-token") {
		t.Errorf("%v", err)
	}
	_, err = bytesOf(c.Download(ctx, s.CDN()+"/none", 10))
	if err == nil {
		t.Error("a file came from nowhere")
	}
}

func bytesOf(raw []byte, _ string, err error) ([]byte, error) { return raw, err }

// TestShards: a bot that is told to use several connections hears all its guilds, each over one of them, and resumes
// where it is told to.
func TestShards(t *testing.T) {
	t.Parallel()
	s, c, ctx := pair(t)
	s.SetShards(3)
	owner := s.AddUser("owner")
	guilds := map[string]*discordtest.Channel{}
	for i := range 9 {
		time.Sleep(2 * time.Millisecond) // ids of different milliseconds, and so of different shards
		g := s.AddGuild(fmt.Sprint("Guild ", i), owner)
		guilds[g.ID] = s.AddChannel(g, 0, "general", "")
	}
	events := run(ctx, t, c)
	for range guilds {
		await(ctx, t, events, "GUILD_CREATE")
	}
	hear := func(text string) {
		t.Helper()
		for _, ch := range guilds {
			s.Say(ch, owner, text, nil)
		}
		heard := map[string]bool{}
		for len(heard) < len(guilds) {
			var m struct {
				Content string
				Guild   string `json:"guild_id"`
			}
			if err := wire.Decode(await(ctx, t, events, "MESSAGE_CREATE").Data, &m); err != nil || m.Content != text || heard[m.Guild] {
				t.Fatalf("%+v, %v", m, err)
			}
			heard[m.Guild] = true
		}
	}
	hear("one")
	s.DropConnections()
	hear("two")
	if s.Resumes() < 3 {
		t.Errorf("%d connections were resumed at the address for it", s.Resumes())
	}
}

// TestVainResumes: a session that the gateway neither resumes nor calls invalid is given up.
func TestVainResumes(t *testing.T) {
	t.Parallel()
	s, c, ctx := pair(t)
	g := s.AddGuild("Guild", s.AddUser("owner"))
	events := run(ctx, t, c)
	await(ctx, t, events, "READY")
	s.RefuseResumes()
	s.DropConnections()
	await(ctx, t, events, "READY")
	if e := await(ctx, t, events, "GUILD_CREATE"); !strings.Contains(string(e.Data), g.ID) {
		t.Errorf("%s", e.Data)
	}
}

// TestSessionsSpent: a bot that has begun as many sessions as Discord allows asks before it begins another one.
func TestSessionsSpent(t *testing.T) {
	t.Parallel()
	s, c, ctx := pair(t)
	s.LimitSessions(2)
	events := run(ctx, t, c)
	for range 5 {
		await(ctx, t, events, "READY")
		s.ForgetSessions()
		s.DropConnections()
	}
	if n := s.Requests("GET /gateway/bot"); n < 3 {
		t.Errorf("it was asked %d times how many sessions are left", n)
	}
}
