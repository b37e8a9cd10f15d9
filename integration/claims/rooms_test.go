package claims_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

func person(nick string) appservice.RemotePerson {
	return appservice.RemotePerson{ID: networkid.UserID(nick), Name: nick}
}

// closeRoom lets nobody in any more but those who are invited.
func closeRoom(t *testing.T, mod *spy, room string) {
	t.Helper()
	_, err := mod.bridge().Bot.SendState(t.Context(), id.RoomID(room), event.StateJoinRules, "", &event.Content{Parsed: &event.JoinRulesEventContent{JoinRule: event.JoinRuleInvite}}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
}

func givePower(t *testing.T, mod *spy, room, user string, level int) {
	t.Helper()
	bot := mod.bridge().Bot.(*matrix.ASIntent)
	var levels event.PowerLevelsEventContent
	if err := bot.Matrix.StateEvent(t.Context(), id.RoomID(room), event.StatePowerLevels, "", &levels); err != nil {
		t.Fatal(err)
	}
	levels.EnsureUserLevel(id.UserID(user), level)
	if _, err := bot.SendState(t.Context(), id.RoomID(room), event.StatePowerLevels, "", &event.Content{Parsed: &levels}, time.Time{}); err != nil {
		t.Fatal(err)
	}
}

// asUser makes requests with the bridge's token as somebody.
type asUser struct {
	t    *testing.T
	base string
	br   *bridgev2.Bridge
	user string
}

// do gives the status of the answer.
func (a *asUser) do(method, path, body string) int {
	a.t.Helper()
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.base+"/_matrix/client/v3"+path+sep+"user_id="+url.QueryEscape(a.user), strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+a.br.Bot.(*matrix.ASIntent).Matrix.AccessToken)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// containsText tells whether a text is in an event's content as it came.
func containsText(e bridgetest.Event, text string) bool {
	return strings.Contains(string(e.Content), text)
}
