package web

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mail/mailtest"
	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// pack puts a folder into a ZIP file.
func pack(t *testing.T, dir, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(f)
	err = w.AddFS(os.DirFS(dir))
	if err = errors.Join(err, w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestMigrationByPages moves a community in with a browser alone: an export is uploaded, looked at, somebody is made
// themselves, it is brought in and compared, and a client sees what was said.
func TestMigrationByPages(t *testing.T) {
	t.Parallel()
	box := mailtest.Start(t, mailtest.Options{Plain: true})
	s := testserver.New(t, testserver.Options{Dir: shortDir(t), Extra: fmt.Sprintf("mail: {server: %q, security: none, from: \"noreply@test\"}\n", box.Address())})
	ctx := t.Context()
	anna, err := (&client.Client{URL: s.URL()}).RegisterAdmin(ctx, "anna", testserver.SharedSecret)
	if err != nil {
		t.Fatal(err)
	}
	export := filepath.Join(t.TempDir(), "Acme.zip")
	pack(t, "../../migration/testdata/slack/workspace", export)

	b := newBrowser(t, s.URL())
	b.goTo("/console/migrate")
	b.fill("#user", "anna")
	b.fill("#password", client.Password)
	b.click("main button")
	b.see("Upload an export")
	b.look("migrate")
	b.do(step{Do: "file", At: "#export", Text: export})
	b.click("#upload summary")
	b.fill("#up-workspace", "acme")
	b.click("#upload button")
	b.see("What it becomes")
	b.see("What can't be carried over")
	b.look("migrate-plan")

	b.click("a.button >> text=Who is who")
	b.see("Account here")
	b.look("migrate-people")
	b.fill(`input[name="account.U024BE7LH"]`, "@nobody:test")
	b.click("form button >> text=Look the changes over")
	b.see("There is no account @nobody:test")
	b.fill(`input[name="account.U024BE7LH"]`, "@anna:test")
	b.click("form button >> text=Look the changes over")
	b.see("Nothing is written yet.")
	b.see("account: '@anna:test'")
	b.look("migrate-changes")
	b.click("text=Write it")
	b.see("The mapping is written.")
	b.click(".pills >> text=Channels")
	b.see("Who may come in")
	b.look("migrate-channels")
	b.click(".pills >> text=The space")
	b.fill("#admins", "@anna:test")
	b.do(step{Do: "select", At: "#space_audience", Text: "anyone"})
	b.look("migrate-space")
	b.click("form button >> text=Look the changes over")
	b.click("text=Write it")
	b.see("The mapping is written.")

	b.click("main p a")
	b.see("What it becomes")
	b.click("button[value=run]")
	b.see("Are you sure?")
	b.click("text=Bring it in")
	b.see("events are new")
	b.look("migrate-ran")
	b.click("button[value=verify]")
	b.see("Everything is as the export has it.")
	b.look("migrate-verified")
	b.visit("/console/migrate", "verified")
	b.look("migrate-list")
	b.visit("/console/audit", "change the mapping of")

	// What a client sees.
	room := ""
	var rooms struct {
		Joined []string `json:"joined_rooms"`
	}
	if err := anna.Do(ctx, "GET", client.Path("joined_rooms"), nil, nil, &rooms); err != nil {
		t.Fatal(err)
	}
	for _, id := range rooms.Joined {
		var name struct{ Name string }
		if err := anna.Do(ctx, "GET", client.Path("rooms", id, "state", "m.room.name", ""), nil, nil, &name); err == nil && name.Name == "general" {
			room = id
		}
	}
	if room == "" {
		t.Fatalf("anna is in %v, and none of them is general", rooms.Joined)
	}
	var page struct {
		Chunk []struct {
			Sender  string
			Content struct{ Body string }
		}
	}
	if err := anna.Do(ctx, "GET", client.Path("rooms", room, "messages"), map[string][]string{"dir": {"b"}, "limit": {"100"}}, nil, &page); err != nil {
		t.Fatal(err)
	}
	mine := 0
	for _, e := range page.Chunk {
		if e.Sender == "@anna:test" && e.Content.Body != "" {
			mine++
		}
	}
	if raw, _ := json.Marshal(page); mine == 0 {
		t.Errorf("anna has said nothing: %s", raw)
	}

	// Those who are in the export are invited by e-mail, though no bridge goes on, and come by the link.
	b.visit("/console/claims?bridge=slack", "Invite by e-mail")
	b.click("button[value=mail]")
	b.click("main button >> text=Send the e-mails")
	b.see("people are written to now")
	link := ""
	for n := 0; link == ""; n++ {
		if m := box.Next(n); strings.Contains(m.To, "bob@example.com") {
			_, link, _ = strings.Cut(m.Text, s.URL()+"/claim/")
			link = strings.Fields(link)[0]
		}
	}
	bob, err := (&client.Client{URL: s.URL()}).RegisterAdmin(ctx, "robert", testserver.SharedSecret)
	if err != nil {
		t.Fatal(err)
	}
	his := newBrowser(t, s.URL())
	his.visit("/claim/"+link, "You are invited as Bob of Slack")
	his.click("text=Sign in with the account you have")
	his.fill("#user", "robert")
	his.fill("#password", client.Password)
	his.click("main button")
	his.click("text=Yes, I am Bob")
	his.see("You are linked")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		err := bob.Do(ctx, "GET", client.Path("rooms", room, "state", "m.room.name", ""), nil, nil, nil)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("he is not in the room: %v", err)
		}
	}
	if strings.Contains(s.Log(), "panicked") {
		t.Error("something has panicked")
	}
}
