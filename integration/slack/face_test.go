package slack_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
)

// TestFace has somebody speak in Slack with their picture, which Slack can fetch.
func TestFace(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	if err := k.anna.Do(k.ctx, "PUT", "/v3/profile/"+k.anna.UserID+"/avatar_url", obj{"avatar_url": k.uploadMedia("image/png", png)}, nil); err != nil {
		t.Fatal(err)
	}
	k.say("with my picture")
	m := k.inSlack("a message", withText("with my picture"))
	icon, _ := get(m["icons"], "image_48").(string)
	_, path, _ := strings.Cut(icon, "/_bridge/")
	resp, err := http.Get(k.server.URL() + "/_bridge/" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if raw, err := io.ReadAll(resp.Body); err != nil || string(raw) != string(png) {
		t.Errorf("the picture at %s is %q, %v", icon, raw, err)
	}
}

// TestEventsAtPublicAddress has events come over HTTP to the server's own address, with a challenge first, and none that is not
// signed.
func TestEventsAtPublicAddress(t *testing.T) {
	t.Parallel()
	k := newTalkBy(t, fmt.Sprintf("          events: http\n          signing_secret: %s\n", slacktest.SigningSecret), func(k *talk) {
		k.slack.SendTo(k.server.URL() + "/_bridge/slack/slack/events")
	})
	k.slack.Say(k.bob, k.channel, "over HTTP", nil)
	k.await("a message", message("over HTTP"))
	const forged = `{"type":"event_callback","event_id":"Ev1","event":{"type":"message","channel":"C1","user":"U1","text":"forged","ts":"1.1"}}`
	resp, err := http.Post(k.server.URL()+"/_bridge/slack/slack/events", "application/json", strings.NewReader(forged))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a request without a signature is answered with %s", resp.Status)
	}
}
