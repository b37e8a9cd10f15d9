package appservice

import (
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/id"
)

// State is where an instance is in its life.
type State string

const (
	StateStopped  State = "stopped"  // not asked to run
	StateStarting State = "starting" // on its way
	StateRunning  State = "running"
	StateWaiting  State = "waiting" // failed; will be started again
	StateStopping State = "stopping"
)

// InstanceStatus is what is known of an instance at a moment.
type InstanceStatus struct {
	ID          string         `json:"id"`
	Module      string         `json:"module"`
	State       State          `json:"state"`
	Since       time.Time      `json:"since"`                // of State
	LastError   string         `json:"last_error,omitempty"` // of the last failure, also after a later success
	FailedAt    time.Time      `json:"failed_at,omitzero"`   // of LastError
	NextStart   time.Time      `json:"next_start,omitzero"`  // in StateWaiting
	Restarts    int            `json:"restarts"`             // starts after a failure
	Waiting     int            `json:"waiting"`              // items taken over from the homeserver and not yet handled
	DeadLetters int            `json:"dead_letters"`         // see Host.DeadLetters
	Logins      []LoginStatus  `json:"logins"`
	Portals     []PortalStatus `json:"portals"` // of those rooms through which something went
}

// LoginStatus is what a login has last reported of its connection to the remote
// network.
type LoginStatus struct {
	ID      networkid.UserLoginID   `json:"id"`
	User    id.UserID               `json:"user_id"`
	Name    string                  `json:"name"`
	State   status.BridgeStateEvent `json:"state"`
	Error   string                  `json:"error,omitempty"`   // a code
	Message string                  `json:"message,omitempty"` // for people
	Since   time.Time               `json:"since"`
}

// Status returns the status of every instance, ordered by id.
func (h *Host) Status() []InstanceStatus {
	h.mu.Lock()
	list := make([]*instance, 0, len(h.instances))
	for _, in := range h.instances {
		list = append(list, in)
	}
	h.mu.Unlock()
	out := make([]InstanceStatus, 0, len(list))
	for _, in := range list {
		out = append(out, in.snapshot())
	}
	slices.SortFunc(out, func(a, b InstanceStatus) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// snapshot returns the status of one instance.
func (in *instance) snapshot() InstanceStatus {
	in.mu.Lock()
	s := in.status
	s.ID, s.Module = in.config.ID, in.config.Module
	run := in.run
	in.mu.Unlock()
	var queued map[id.RoomID]int
	if run != nil {
		s.Waiting, s.DeadLetters = run.box.Len(), run.conn.letters.count()
		queued = run.pump.queued()
		s.Logins = run.conn.loginStatus()
		slices.SortFunc(s.Logins, func(a, b LoginStatus) int { return strings.Compare(string(a.ID), string(b.ID)) })
	}
	s.Portals = in.metrics.traffic.list(queued)
	return s
}

// setState is called with in.mu held.
func (in *instance) setState(s State) {
	in.status.State = s
	in.status.Since = time.Now()
	in.status.NextStart = time.Time{}
	// Wakes whoever waits for a state.
	close(in.changed)
	in.changed = make(chan struct{})
}
