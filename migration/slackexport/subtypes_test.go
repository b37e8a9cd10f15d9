package slackexport

import (
	"fmt"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/migration/model"
)

// TestSubtypes has each subtype that Slack documents, or is known to export: it becomes what it is, and no text is lost.
func TestSubtypes(t *testing.T) {
	t.Parallel()
	for subtype, tc := range map[string]struct {
		more string // further fields
		what model.What
		text string // what is to be seen of it; "" is the message's own
	}{
		"":                                {what: model.Said},
		"assistant_app_thread":            {what: model.Said},
		"bot_message":                     {more: `,"bot_id":"B00000001","username":"ci"`, what: model.Said},
		"bot_add":                         {what: model.Notice},
		"bot_remove":                      {what: model.Notice},
		"bot_enable":                      {what: model.Notice},
		"bot_disable":                     {what: model.Notice},
		"app_conversation_join":           {what: model.Notice},
		"app_conversation_leave":          {what: model.Notice},
		"channel_archive":                 {what: model.Notice, text: "📦 The channel was archived"},
		"channel_unarchive":               {what: model.Notice, text: "📦 The channel is in use again"},
		"channel_convert_to_private":      {what: model.Notice},
		"channel_convert_to_public":       {what: model.Notice},
		"channel_join":                    {what: model.Joined, text: "-"},
		"channel_leave":                   {what: model.Left, text: "-"},
		"channel_name":                    {more: `,"old_name":"a","name":"b"`, what: model.Named, text: "b"},
		"channel_topic":                   {more: `,"topic":"new"`, what: model.Topic, text: "new"},
		"channel_purpose":                 {more: `,"purpose":"why"`, what: model.Notice, text: "📝 The purpose of the channel is now: why"},
		"channel_posting_permissions":     {what: model.Notice},
		"channel_canvas_updated":          {what: model.Notice},
		"tabbed_canvas_updated":           {what: model.Notice},
		"document_mention":                {what: model.Notice},
		"ekm_access_denied":               {what: model.Notice},
		"emoji_changed":                   {what: model.Notice},
		"file_share":                      {more: `,"upload":true,"file":{"id":"F00000001","name":"x.txt","url_private":"https://files.slack.com/x"}`, what: model.Said},
		"file_comment":                    {more: `,"user":"","comment":{"user":"U0000000A","comment":"nice"},"file":{"id":"F00000001"}`, what: model.Said, text: "nice"},
		"file_mention":                    {what: model.Said},
		"group_archive":                   {what: model.Notice, text: "📦 The channel was archived"},
		"group_unarchive":                 {what: model.Notice, text: "📦 The channel is in use again"},
		"group_join":                      {what: model.Joined, text: "-"},
		"group_leave":                     {what: model.Left, text: "-"},
		"group_name":                      {more: `,"name":"b"`, what: model.Named, text: "b"},
		"group_topic":                     {more: `,"topic":"new"`, what: model.Topic, text: "new"},
		"group_purpose":                   {more: `,"purpose":"why"`, what: model.Notice, text: "📝 The purpose of the channel is now: why"},
		"huddle_thread":                   {more: `,"room":{"created_by":"U0000000A"}`, what: model.Notice, text: "📞 A huddle has started"},
		"joiner_notification":             {what: model.Notice},
		"joiner_notification_for_inviter": {what: model.Notice},
		"me_message":                      {what: model.Emote},
		"message_changed":                 {more: `,"message":{"user":"U0000000A","ts":"1600000100.000000","text":"better","edited":{"ts":"1600000150.000000"}}`, what: model.Said, text: "better"},
		"message_deleted":                 {more: `,"deleted_ts":"1600000050.000000"`, what: model.Gone, text: "-"},
		"message_replied":                 {more: `,"message":{"ts":"1600000050.000000"}`, text: "nothing"},
		"mpdm_move":                       {what: model.Notice},
		"pinned_item":                     {what: model.Notice},
		"unpinned_item":                   {what: model.Notice},
		"reminder_add":                    {what: model.Notice},
		"reminder_delete":                 {what: model.Notice},
		"reply_broadcast":                 {what: model.Said},
		"sh_room_created":                 {what: model.Notice},
		"sh_room_shared":                  {what: model.Notice},
		"slackbot_response":               {what: model.Said},
		"thread_broadcast":                {more: `,"thread_ts":"1600000050.000000"`, what: model.Said},
		"tombstone":                       {what: model.Gone, text: "(this message was deleted)"},
		"welcome_party":                   {what: model.Notice},
		"channel_tab_added":               {what: model.Notice},
		"one that comes tomorrow":         {what: model.Said},
	} {
		t.Run(subtype, func(t *testing.T) {
			t.Parallel()
			day := fmt.Sprintf(`[{"type":"message","subtype":%q,"ts":"1600000100.000000","user":"U0000000A","text":"words"%s}]`, subtype, tc.more)
			if strings.Contains(tc.more, `"user":""`) {
				day = strings.Replace(day, `"user":"U0000000A",`, "", 1)
			}
			e := folder(t, map[string]string{"channels.json": general, "users.json": `[{"id":"U0000000A","name":"ann"}]`, "general/2020-09-13.json": day})
			list := all(t, e, "C0000000A")
			if p := e.Problems(); len(p) > 0 {
				t.Errorf("problems %v", p)
			}
			if tc.text == "nothing" {
				if len(list) != 0 {
					t.Errorf("it is %+v", list[0])
				}
				return
			}
			if len(list) != 1 {
				t.Fatalf("%d messages", len(list))
			}
			m := list[0]
			seen := text(m).Body
			if m.Render == nil {
				seen = m.Value
			}
			want := map[string]string{"": "words", "-": ""}[tc.text]
			if tc.text != "" && tc.text != "-" {
				want = tc.text
			}
			if m.What != tc.what || seen != want {
				t.Errorf("it is %q and says %q, instead of %q and %q", m.What, seen, tc.what, want)
			}
			if strings.HasPrefix(subtype, "file_share") && len(m.Files) != 1 {
				t.Error("the file is missing")
			}
		})
	}
}
