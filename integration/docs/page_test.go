package docs

import (
	"archive/zip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/internal/ports"
)

// Programs that stand before those of the same name: what serves goes to the background, and whoever is asked at an address
// of the documentation is found at the page's own.
var programs = map[string]string{
	"landbridge": `#!/bin/bash
background() {
  log=$1; shift
  "$REAL_LANDBRIDGE" "$@" > "$log" 2>&1 &
  echo $! >> "$PAGE/pids"
  until grep -q 'msg=ready' "$log"; do kill -0 $! 2>/dev/null || { cat "$log"; exit 1; }; sleep .05; done
  exit 0
}
case "$1 $2" in
"serve "*) stop; LANDBRIDGE_SERVER_LISTEN=$PAGE_LISTEN LANDBRIDGE_SERVER_PUBLIC_URL=http://$PAGE_LISTEN background "$PAGE/serve.log" "$@" ;;
"bridge -c") background "$PAGE/bridge.log" "$@" ;;
"migrate fetch") exec "$REAL_LANDBRIDGE" "$@" -api "$DISCORD_API" ;;
esac
exec "$REAL_LANDBRIDGE" "$@"
`,
	"stop": `#!/bin/bash
touch "$PAGE/pids"
for pid in $(cat "$PAGE/pids"); do kill "$pid" 2>/dev/null; while kill -0 "$pid" 2>/dev/null; do sleep .05; done; done
: > "$PAGE/pids"
`,
	"curl": `#!/bin/bash
exec "$REAL_CURL" "${@//127.0.0.1:8008/$PAGE_LISTEN}"
`,
	// upload has somebody send a file, and keeps its address.
	"upload": `#!/bin/bash
set -e
token=$(curl -s http://127.0.0.1:8008/_matrix/client/v3/login -d '{"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "'$1'"}, "password": "a long password"}' |
  sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p')
curl -s -H "Authorization: Bearer $token" -H 'Content-Type: text/plain' --data 'a file' http://127.0.0.1:8008/_matrix/media/v3/upload |
  sed -n 's/.*"content_uri":"\([^"]*\)".*/\1/p' > "$PAGE/mxc"
test -s "$PAGE/mxc"
`,
}

// stands says what the words of the documentation stand for that readers have to replace.
var stands = strings.NewReplacer(
	"'!the-room_id-of-the-answer'", `"$room_id"`,
	"TOKEN=the-printed-token", `TOKEN="$printed_token"`,
	"ACCESS=the-access_token-of-the-answer", `ACCESS="$access_token"`,
	"mxc://example.org/abc", `"$(cat "$PAGE/mxc")"`,
	"kill -HUP PID", `kill -HUP $(cat "$PAGE/pids")`,
	"/etc/synapse/landbridge", "etc/synapse/landbridge",
	"-guild 123456789012345678", `-guild "$DISCORD_GUILD"`,
)

// environment prepares what the commands of a page find: a folder of programs, and addresses of their own.
func environment(t *testing.T, bin, page string) []string {
	t.Helper()
	curl := tool(t, "curl")
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d, err := discordtest.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	guild := d.AddGuild("Guild", d.AddUser("carol"))
	d.AddChannel(guild, 0, "talk", "")
	return []string{"REAL_LANDBRIDGE=" + testserver.Binary(), "REAL_CURL=" + curl, "PAGE=" + page, "TOOLS=" + bin, "PAGE_LISTEN=" + ports.Addr(t), "PAGE_OTHER=" + ports.Addr(t),
		"SLACK_EXPORT=" + slackExport(t), "DISCORD_API=" + d.URL(), "DISCORD_TOKEN=" + d.Token, fmt.Sprint("DISCORD_GUILD=", guild.ID)}
}

// slackExport packs the export that the tests of migrations have.
func slackExport(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "export.zip")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(f)
	err = w.AddFS(os.DirFS("../../migration/testdata/slack/workspace"))
	if err = errors.Join(err, w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return name
}
