package app

import (
	"context"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/homeserver/appservices"
	"github.com/landbridge-im/landbridge/homeserver/console"
)

// lettersCommand names dead letters of one bridge; no events means all.
type lettersCommand struct {
	Bridge string   `json:"bridge"`
	Events []string `json:"events,omitempty"`
	// File is the configuration that a plan is made for.
	File string `json:"file,omitempty"`
}

// letterCount is how many were dropped or are tried again; Failed says why others are not.
type letterCount struct {
	Count  int    `json:"count"`
	Failed string `json:"failed,omitempty"`
}

// letter is a dead letter as commands see it.
type letter struct {
	EventID string    `json:"event_id"`
	RoomID  string    `json:"room_id"`
	Sender  string    `json:"sender"`
	Type    string    `json:"type"`
	Reason  string    `json:"reason"`
	Tries   int       `json:"tries"`
	At      time.Time `json:"at"`
}

// statusReply is how bridges and application services stand.
type statusReply struct {
	Bridges []appservice.InstanceStatus `json:"bridges"`
	// Services are the application services of the homeserver; none where only bridges run.
	Services []serviceStatus `json:"services"`
}

type serviceStatus struct {
	ID           string    `json:"id"`
	Reachable    bool      `json:"reachable"`
	Since        time.Time `json:"since"`
	Behind       int64     `json:"behind"` // positions of the log
	LastError    string    `json:"last_error,omitempty"`
	Transactions int64     `json:"transactions"` // taken since the start
}

// maxCommand bounds a command, in bytes.
const maxCommand = 1 << 20

// bridgeConsole serves the commands about bridges: each is a POST to /bridge/VERB with a JSON object, as
// those of the homeserver's console are.
func bridgeConsole(host *appservice.Host, services func() []appservices.Status, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	on := func(verb string, do func(context.Context, lettersCommand) (any, error)) {
		mux.HandleFunc("POST /bridge/"+verb, func(w http.ResponseWriter, r *http.Request) {
			var q lettersCommand
			raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCommand))
			if err == nil {
				err = json.Unmarshal(raw, &q, json.RejectUnknownMembers(true))
			}
			status, out := http.StatusBadRequest, any(nil)
			if err == nil {
				status = http.StatusOK
				if out, err = do(r.Context(), q); errors.Is(err, appservice.ErrUnknown) {
					status = http.StatusNotFound
				} else if err != nil {
					status = http.StatusInternalServerError
				}
			}
			if err != nil {
				out = console.Failure{Message: err.Error()}
			}
			if raw, err = json.Marshal(out); err != nil {
				log.ErrorContext(r.Context(), "answering a command", "err", err)
				status, raw = http.StatusInternalServerError, []byte(`{"error":"the answer could not be written"}`)
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write(raw) // whoever asked may be gone
		})
	}
	on("status", func(context.Context, lettersCommand) (any, error) {
		out := statusReply{Bridges: host.Status(), Services: []serviceStatus{}}
		if services != nil {
			for _, s := range services() {
				out.Services = append(out.Services, serviceStatus(s))
			}
		}
		return out, nil
	})
	on("dead-letters", func(ctx context.Context, q lettersCommand) (any, error) {
		list, err := host.DeadLetters(ctx, q.Bridge)
		out := make([]letter, len(list))
		for i, d := range list {
			out[i] = letter{EventID: d.EventID, RoomID: d.Room, Sender: d.Sender, Type: d.Type, Reason: d.Reason, Tries: d.Tries, At: d.At}
		}
		return out, err
	})
	on("plan", func(ctx context.Context, q lettersCommand) (any, error) {
		cfg, err := config.Load(q.File, os.Environ())
		if err != nil {
			return nil, err
		}
		return planBridges(ctx, host, cfg, q.Bridge)
	})
	on("retry", func(ctx context.Context, q lettersCommand) (any, error) {
		n, err := host.RetryDeadLetters(ctx, q.Bridge, q.Events...)
		out := letterCount{Count: n}
		if err != nil && n > 0 {
			out.Failed, err = err.Error(), nil
		}
		return out, err
	})
	on("drop", func(ctx context.Context, q lettersCommand) (any, error) {
		n, err := host.DropDeadLetters(ctx, q.Bridge, q.Events...)
		return letterCount{Count: n}, err
	})
	return mux
}

// consoleHandler is what the socket of "landbridge serve" answers.
func (s *serving) consoleHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/bridge/", bridgeConsole(s.host, s.hs.Services().Status, s.log))
	mux.HandleFunc("POST /bridge/set", handled(s.setBridge))
	mux.HandleFunc("POST /bridge/add", handled(s.addBridge))
	mux.HandleFunc("POST /bridge/portals", handled(s.listPortals))
	mux.HandleFunc("POST /log", handled(s.logLines))
	mux.HandleFunc("POST /backup/create", s.backupCommand)
	mux.HandleFunc("POST /status", s.statusCommand)
	mux.Handle("/", s.hs.Console())
	return mux
}

// serveSocket answers commands on a socket in the data folder until ctx ends. Only who may enter the folder
// reaches it.
func serveSocket(ctx context.Context, g *errgroup.Group, path string, h http.Handler, log *slog.Logger) error {
	if len(path) > maxSocketPath {
		log.WarnContext(ctx, "the path of the data folder is too long for a socket in it: commands do not reach the running program", "path", path)
		return nil
	}
	// One that is there is of a program that was killed: the folder is locked.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the old console socket: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("listening for commands: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("protecting the console socket: %w", err), l.Close())
	}
	serveHTTP(ctx, g, &http.Server{Handler: h, ReadHeaderTimeout: 20 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}, l)
	return nil
}

// running reaches the program that runs with a configuration, "landbridge serve" or "landbridge bridge".
func running(ctx context.Context, path string) (*commander, error) {
	cfg, err := config.Load(configPath(path), os.Environ())
	if err != nil {
		return nil, err
	}
	c, err := dial(ctx, cfg)
	if err == nil && c == nil {
		err = errors.New("nothing runs with this configuration")
	}
	return c, err
}
