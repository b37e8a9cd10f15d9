package store

import "context"

// Pusher is where a user wants to be notified.
type Pusher struct {
	User           int64
	AppID, Pushkey string
	// Kind is http or email.
	Kind string
	// Device is the device that set it; 0 for none.
	Device int64
	// JSON holds what else the client gave.
	JSON      string
	ChangedTS int64
	// Pos is up to where in the log it has been served.
	Pos int64
	// SentTS and ThrottleMS tell when the last e-mail went out and how long to wait for the next.
	SentTS, ThrottleMS int64
}

// Position is the end of the log as the transaction sees it.
func (t *Tx) Position() int64 { return t.w.s.counters.pos }

// PushersOf lists a user's pushers.
func (s *Store) PushersOf(ctx context.Context, user int64) ([]Pusher, error) {
	return collect(ctx, s, "pusher_list_of", scanPusher, user)
}

// PushersOf is Store.PushersOf as the transaction sees it.
func (t *Tx) PushersOf(user int64) (out []Pusher, err error) {
	err = t.each("pusher_list_of", func(r scanner) error {
		p, err := scanPusher(r)
		out = append(out, p)
		return err
	}, user)
	return out, err
}

func scanPusher(r scanner) (p Pusher, err error) {
	return p, r.Scan(&p.User, &p.AppID, &p.Pushkey, &p.Kind, &p.Device, &p.JSON, &p.ChangedTS, &p.Pos, &p.SentTS, &p.ThrottleMS)
}

// PusherUsers lists the users who have pushers.
func (s *Store) PusherUsers(ctx context.Context) ([]int64, error) {
	return collect(ctx, s, "pusher_users", scanInt)
}

// SetPusher adds or changes a pusher. A new one begins with what happens from now on; one that
// exists stays where it is in the log.
func (t *Tx) SetPusher(p Pusher) error {
	return t.exec("pusher_put", p.User, p.AppID, p.Pushkey, p.Kind, p.Device, p.JSON, p.ChangedTS, t.Position())
}

// DeletePusher removes a pusher; one that is not there counts as removed.
func (t *Tx) DeletePusher(user int64, appID, pushkey string) error {
	return t.exec("pusher_delete", user, appID, pushkey)
}

// DeleteOtherPushers removes the pushers of this app and key that other users have, and returns
// these users.
func (t *Tx) DeleteOtherPushers(user int64, appID, pushkey string) (users []int64, err error) {
	err = t.each("pusher_others", func(r scanner) error {
		u, err := scanInt(r)
		users = append(users, u)
		return err
	}, appID, pushkey, user)
	if err != nil || len(users) == 0 {
		return nil, err
	}
	return users, t.exec("pusher_delete_others", appID, pushkey, user)
}

// DeletePushersOf removes all of a user's pushers.
func (t *Tx) DeletePushersOf(user int64) error { return t.exec("pusher_delete_user", user) }

// PusherServed notes up to where a pusher has been served. It does not go back.
func (t *Tx) PusherServed(p Pusher, upto int64) error {
	return t.exec("pusher_served", p.User, p.AppID, p.Pushkey, upto)
}

// PusherMailed notes when the last e-mail of a pusher went out, and how long to wait for the next.
func (t *Tx) PusherMailed(p Pusher, sentTS, throttleMS int64) error {
	return t.exec("pusher_mailed", p.User, p.AppID, p.Pushkey, sentTS, throttleMS)
}

// SomeMembers lists up to five others who are in a room or invited, those first who came first: by
// them a room without a name is called.
func (s *Store) SomeMembers(ctx context.Context, room, but int64) ([]int64, error) {
	return collect(ctx, s, "membership_some", scanInt, room, but)
}
