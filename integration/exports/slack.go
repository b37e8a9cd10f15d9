package exports

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Size says how large a community is.
type Size struct {
	Messages, People, Channels int
	// Members is how many are in a channel; 0 means 40.
	Members int
}

// dayMessages is how many messages there are in a channel on a day.
const dayMessages = 400

// began is the time of the first message.
var began = time.Date(2020, 1, 6, 8, 0, 0, 0, time.UTC)

const words = "the of a release build server we it works today tomorrow please look at test again fine thanks deploy branch review merge coffee lunch meeting notes customer ticket closed open bug fix version update room channel plan week done"

// Slack writes an export of a workspace into a folder.
func Slack(dir string, s Size) error {
	if s.Members == 0 {
		s.Members = 40
	}
	s.Members = min(s.Members, s.People)
	rng := rand.New(rand.NewPCG(1, 2))
	vocabulary := strings.Fields(words)
	var users []map[string]any
	id := func(n int) string { return fmt.Sprintf("U%08d", n) }
	for i := range s.People {
		users = append(users, map[string]any{"id": id(i), "team_id": "T00000001", "name": fmt.Sprintf("person%d", i), "real_name": fmt.Sprintf("Person %d", i),
			"deleted": i%20 == 19, "is_bot": false, "is_admin": i < 5, "profile": map[string]any{"real_name": fmt.Sprintf("Person %d", i), "email": fmt.Sprintf("p%d@example.com", i)}})
	}
	var channels []map[string]any
	for i := range s.Channels {
		name := fmt.Sprintf("channel-%d", i)
		members := make([]string, s.Members)
		from := rng.IntN(s.People)
		for k := range members {
			members[k] = id((from + k*7) % s.People)
		}
		channels = append(channels, map[string]any{"id": fmt.Sprintf("C%08d", i), "name": name, "created": began.Unix(), "creator": members[0], "is_archived": false,
			"members": members, "topic": map[string]any{"value": "What channel " + name + " is about"}, "purpose": map[string]any{"value": ""}})
		n := s.Messages / s.Channels
		if i < s.Messages%s.Channels {
			n++
		}
		if err := talk(filepath.Join(dir, name), rng, vocabulary, members, n); err != nil {
			return err
		}
	}
	return errors.Join(write(filepath.Join(dir, "users.json"), users), write(filepath.Join(dir, "channels.json"), channels))
}

// talk writes a channel's messages, a file a day.
func talk(dir string, rng *rand.Rand, vocabulary, members []string, n int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var at time.Time
	root := ""
	for day := 0; n > 0; day++ {
		count := min(n, dayMessages)
		n -= count
		at = began.AddDate(0, 0, day)
		var list []map[string]any
		for range count {
			at = at.Add(time.Duration(1+rng.IntN(80)) * time.Second)
			ts := fmt.Sprintf("%d.%06d", at.Unix(), rng.IntN(1_000_000))
			text := make([]string, 5+rng.IntN(20))
			for i := range text {
				text[i] = vocabulary[rng.IntN(len(vocabulary))]
			}
			m := map[string]any{"type": "message", "user": members[rng.IntN(len(members))], "ts": ts, "text": strings.Join(text, " ")}
			switch k := rng.IntN(100); {
			case k < 8:
				m["text"] = fmt.Sprintf("<@%s> %s *%s* <https://example.com/%d|link>", members[rng.IntN(len(members))], m["text"], text[0], k)
			case k < 20 && root != "":
				m["thread_ts"] = root
			case k < 25:
				m["edited"] = map[string]any{"user": m["user"], "ts": fmt.Sprintf("%d.000000", at.Unix()+30)}
			case k < 30:
				m["reactions"] = []map[string]any{{"name": "+1", "users": members[:1+rng.IntN(min(3, len(members)))], "count": 1}}
			}
			if m["thread_ts"] == nil && rng.IntN(10) == 0 {
				root = ts
			}
			list = append(list, m)
		}
		if err := write(filepath.Join(dir, at.Format(time.DateOnly)+".json"), list); err != nil {
			return err
		}
	}
	return nil
}

func write(name string, v any) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b := bufio.NewWriter(f)
	if err := json.NewEncoder(io.Writer(b)).Encode(v); err != nil {
		return err
	}
	return b.Flush()
}
