package keys

import (
	"context"
	"crypto/rand"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"
	"golang.org/x/sync/errgroup"

	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Remote asks other servers for keys of their users; *fclient.Client does.
type Remote interface {
	QueryUserKeys(ctx context.Context, server string, users map[string][]string) (fclient.Keys, error)
	UserDevices(ctx context.Context, server, user string) (fclient.Devices, error)
	ClaimKeys(ctx context.Context, server string, keys map[string]map[string]string) (map[string]map[string]map[string]jsontext.Value, error)
}

var _ Remote = (*fclient.Client)(nil)

const (
	// remoteTimeout is how long other servers have to answer: "10 seconds is the recommended default."
	remoteTimeout = 10 * time.Second
	// remoteServers is how many servers are asked at once for one request.
	remoteServers = 32
	// remoteUsers is how many users' keys are remembered.
	remoteUsers = 4096
)

// remoteKeys are the keys of a user of another server.
type remoteKeys struct {
	devices      map[string]jsontext.Value
	master, self jsontext.Value
}

// timeout is how long other servers have, as a client asked in milliseconds.
func timeout(asked int64) time.Duration {
	if asked <= 0 {
		return remoteTimeout
	}
	return min(time.Duration(asked)*time.Millisecond, remoteTimeout)
}

// foreign groups the users of other servers by server. Without a way to ask those, they fail.
func foreign[T any](k *Keys, users map[string]T, failures Failures) map[string]map[string]T {
	out := map[string]map[string]T{}
	for user, v := range users {
		_, server, ok := strings.Cut(user, ":")
		if !ok || server == k.server || server == "" {
			continue
		}
		if k.remote == nil {
			failures[server] = Failure{"M_UNKNOWN", "This server does not ask other servers."}
			continue
		}
		if out[server] == nil {
			out[server] = map[string]T{}
		}
		out[server][user] = v
	}
	return out
}

// each calls fn for each server, some at once, and collects who did not answer.
func each[T any](ctx context.Context, wait time.Duration, servers map[string]T, failures Failures, fn func(ctx context.Context, server string, v T) error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		room = make(chan struct{}, remoteServers)
	)
	for server, v := range servers {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			if err := fn(ctx, server, v); err != nil {
				f := Failure{"M_UNKNOWN", "The server could not be reached."}
				var answered *fclient.Error
				if errors.As(err, &answered) && answered.Code != "" {
					f = Failure{answered.Code, answered.Message}
				}
				mu.Lock()
				failures[server] = f
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// queryRemote adds the keys of users of other servers.
func (k *Keys) queryRemote(ctx context.Context, viewer Owner, r QueryRequest, out *QueryResponse) error {
	asked := foreign(k, r.DeviceKeys, out.Failures)
	found, old := map[string]*remoteKeys{}, map[string]*remoteKeys{}
	for server, users := range asked {
		for user := range users {
			if have, ok := k.remembered.Get(user); ok {
				found[user] = have
				delete(users, user)
				continue
			}
			mark := k.forgotten.Load()
			have, fresh, err := k.kept(ctx, user)
			if err != nil {
				return public(err)
			}
			if fresh {
				found[user] = have
				k.remember(user, have, mark)
				delete(users, user)
			} else if have != nil {
				old[user] = have
			}
		}
		if len(users) == 0 {
			delete(asked, server)
		}
	}
	var mu sync.Mutex
	each(ctx, timeout(r.Timeout), asked, out.Failures, func(ctx context.Context, server string, users map[string][]string) error {
		mark := k.forgotten.Load()
		users = maps.Clone(users)
		if len(users) <= snapshotsMax {
			told, err := k.askSnapshots(ctx, slices.Collect(maps.Keys(users)), mark)
			mu.Lock()
			for user, rk := range told {
				delete(users, user)
				found[user] = rk
			}
			mu.Unlock()
			if err != nil {
				return err
			}
		}
		if len(users) == 0 {
			return nil
		}
		all := make(map[string][]string, len(users))
		for user := range users {
			all[user] = []string{}
		}
		got, err := k.remote.QueryUserKeys(ctx, server, all)
		if err != nil {
			return err
		}
		for user := range users {
			rk := readRemote(user, got)
			if rk == nil {
				continue
			}
			if err := k.keepRemote(ctx, user, rk, mark, 0, 0); err != nil {
				return err
			}
			mu.Lock()
			found[user] = rk
			mu.Unlock()
		}
		return nil
	})
	for user, rk := range old {
		if found[user] == nil {
			found[user] = rk // what is known of old is better than nothing
		}
	}
	for user, rk := range found {
		if err := k.addRemote(ctx, viewer, user, rk, r.DeviceKeys[user], out); err != nil {
			return public(err)
		}
	}
	return nil
}

// askSnapshots is askSnapshot for some users of one server, several at once; those of whom there is nothing are left
// out.
func (k *Keys) askSnapshots(ctx context.Context, users []string, mark int64) (map[string]*remoteKeys, error) {
	var mu sync.Mutex
	out := map[string]*remoteKeys{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(snapshotsAtOnce)
	for _, user := range users {
		g.Go(func() error {
			rk, err := k.askSnapshot(ctx, user, mark)
			if rk != nil && err == nil {
				mu.Lock()
				defer mu.Unlock()
				out[user] = rk
			}
			return err
		})
	}
	return out, g.Wait()
}

// askSnapshot asks for the devices of a user who shares a room, with their place in the stream of updates;
// nil if there is no need to, or the server can't tell.
func (k *Keys) askSnapshot(ctx context.Context, user string, mark int64) (*remoteKeys, error) {
	if _, ok, err := k.tracked(ctx, user); err != nil || !ok {
		return nil, err
	}
	before, err := k.streamOf(ctx, user)
	if err != nil {
		return nil, err
	}
	rk, stream, err := k.snapshot(ctx, user)
	var answered *fclient.Error
	if errors.As(err, &answered) && answered.Status/100 == 4 {
		return nil, nil
	}
	if err != nil || rk == nil {
		return nil, err
	}
	return rk, k.keepRemote(ctx, user, rk, mark, stream, before)
}

// remember keeps keys in memory, unless something was forgotten since mark.
func (k *Keys) remember(user string, rk *remoteKeys, mark int64) {
	k.remembered.Add(user, rk)
	if k.forgotten.Load() != mark {
		k.remembered.Remove(user) // the news may have been of this user
	}
}

// readRemote picks a user's keys out of an answer, and leaves out what isn't theirs: "device_id ...
// Must match", "user_id ... Must match". Nil if there is nothing of the user.
func readRemote(user string, got fclient.Keys) *remoteKeys {
	rk := &remoteKeys{devices: map[string]jsontext.Value{}}
	for device, raw := range got.Devices[user] {
		if ownKeys(raw, user, device) {
			rk.devices[device] = raw
		}
	}
	for usage, x := range map[string]struct {
		raw jsontext.Value
		out *jsontext.Value
	}{usageMaster: {got.Master[user], &rk.master}, usageSelfSigning: {got.Self[user], &rk.self}} {
		if c, err := parseCrossKey(x.raw, usage); len(x.raw) > 0 && err == nil && c != nil && gjson.GetBytes(x.raw, "user_id").Str == user {
			*x.out = x.raw
		}
	}
	if _, ok := got.Devices[user]; !ok && rk.master == nil && rk.self == nil {
		return nil
	}
	return rk
}

// keepRemote remembers a user's keys if changes will be heard of, because the user is in a room of
// ours; and keeps the cross-signing keys, so that users here can sign them. stream is the place of what was
// told in the stream of updates, 0 if that isn't known, and before the place that was known when it was
// asked for.
func (k *Keys) keepRemote(ctx context.Context, user string, rk *remoteKeys, mark, stream, before int64) error {
	nid, err := k.store.UserNID(ctx, user)
	if errors.Is(err, store.ErrNotFound) {
		return nil // in no room that we know
	} else if err != nil {
		return err
	}
	have, err := k.store.CrossSigningKeys(ctx, nid)
	if err != nil {
		return err
	}
	was := byUsage(have)
	fresh := map[string]string{usageMaster: string(rk.master), usageSelfSigning: string(rk.self)}
	maps.DeleteFunc(fresh, func(usage, key string) bool { return key == was[usage] })
	if len(fresh) > 0 {
		err := k.store.Write(ctx, func(tx *store.Tx) error {
			for usage, key := range fresh {
				var err error
				if key == "" {
					err = tx.DeleteCrossSigningKey(nid, usage)
				} else {
					err = tx.SetCrossSigningKey(nid, store.CrossSigningKey{Usage: usage, JSON: key})
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	servers, err := k.store.ServersSharing(ctx, nid)
	if err != nil || !slices.Contains(servers, k.server) {
		return err
	}
	if err := k.keepDevices(ctx, nid, rk, stream, before); err != nil {
		return err
	}
	k.remember(user, rk, mark)
	return nil
}

// addRemote puts a user's keys into an answer, with the viewer's own signatures on them.
func (k *Keys) addRemote(ctx context.Context, viewer Owner, user string, rk *remoteKeys, wanted []string, out *QueryResponse) error {
	extra := map[string]signatures{}
	nid, err := k.store.UserNID(ctx, user)
	if err == nil {
		extra, err = k.extraSignatures(ctx, nid, viewer.UserNID)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	list := map[string]jsontext.Value{}
	for device, raw := range rk.devices {
		if len(wanted) == 0 || slices.Contains(wanted, device) {
			list[device] = raw
		}
	}
	out.DeviceKeys[user] = list
	if rk.master != nil {
		out.MasterKeys[user] = rk.master
		if key, err := parseCrossKey(rk.master, usageMaster); err == nil && len(extra[key.public]) > 0 {
			if out.MasterKeys[user], err = decorate(string(rk.master), extra[key.public], ""); err != nil {
				return err
			}
		}
	}
	if rk.self != nil {
		out.SelfSigningKeys[user] = rk.self
	}
	return nil
}

// Publish takes fresh log entries: what is remembered of users whose keys changed, and who came or
// went, is forgotten. It never waits.
func (k *Keys) Publish(ctx context.Context, entries []store.Entry) {
	if k.remote == nil {
		return
	}
	for _, e := range entries {
		nid := e.User
		switch {
		case e.Kind == store.KindDeviceList:
		case e.Member != nil && e.Member.Membership != "join":
			nid = e.Member.User
		default:
			continue
		}
		user, err := k.store.UserID(ctx, nid)
		if err != nil {
			k.forgotten.Add(1)
			k.remembered.Purge()
			continue
		}
		k.forgotten.Add(1)
		if e.Kind != store.KindDeviceList && store.ServerOf(user) == k.server {
			k.remembered.Purge() // with whom they shared a room isn't known here
			continue
		}
		k.remembered.Remove(user)
	}
}

// claimRemote adds one-time keys of users of other servers.
func (k *Keys) claimRemote(ctx context.Context, r ClaimRequest, out *ClaimResponse) {
	var mu sync.Mutex
	each(ctx, timeout(r.Timeout), foreign(k, r.OneTimeKeys, out.Failures), out.Failures, func(ctx context.Context, server string, want map[string]map[string]string) error {
		got, err := k.remote.ClaimKeys(ctx, server, want)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for user, devices := range want {
			for device, algorithm := range devices {
				for id, key := range got[user][device] {
					if !strings.HasPrefix(id, algorithm+":") {
						continue
					}
					if out.OneTimeKeys[user] == nil {
						out.OneTimeKeys[user] = map[string]map[string]jsontext.Value{}
					}
					out.OneTimeKeys[user][device] = map[string]jsontext.Value{id: key}
				}
			}
		}
		return nil
	})
}

// outgoing is a message for another server: specification, server-server API, "Send-to-device
// messaging".
type outgoing struct {
	server string
	edu    []byte
}

// directToDevice makes the message that carries what a user's devices are to get.
func directToDevice(sender, typ, user string, byDevice map[string]store.ToDevice) (outgoing, error) {
	messages := map[string]jsontext.Value{}
	for device, m := range byDevice {
		messages[device] = jsontext.Value(m.Content)
	}
	raw, err := json.Marshal(map[string]any{"edu_type": "m.direct_to_device", "content": map[string]any{
		"sender": sender, "type": typ, "message_id": rand.Text(), "messages": map[string]any{user: messages}}}, json.Deterministic(true))
	return outgoing{store.ServerOf(user), raw}, err
}

// DeviceUpdate is what other servers are told of a device of a user of this server, or, if the device
// is "", of the user's cross-signing keys: the type of the message and its content. Nil means nothing.
func (k *Keys) DeviceUpdate(ctx context.Context, user int64, device string) (typ string, content map[string]any, err error) {
	id, err := k.store.UserID(ctx, user)
	if err != nil || store.ServerOf(id) != k.server {
		return "", nil, err // other servers speak for their own users
	}
	out := &QueryResponse{Failures{}, map[string]map[string]jsontext.Value{}, map[string]jsontext.Value{}, map[string]jsontext.Value{}, map[string]jsontext.Value{}}
	if err := k.queryUser(ctx, Owner{UserID: id, UserNID: user}, id, user, nil, out); err != nil {
		return "", nil, err
	}
	content = map[string]any{"user_id": id}
	if device == "" {
		if out.MasterKeys[id] == nil && out.SelfSigningKeys[id] == nil {
			return "", nil, nil
		}
		for name, key := range map[string]jsontext.Value{"master_key": out.MasterKeys[id], "self_signing_key": out.SelfSigningKeys[id]} {
			if key != nil {
				content[name] = key
			}
		}
		return "m.signing_key_update", content, nil
	}
	content["device_id"] = device
	if keys := out.DeviceKeys[id][device]; keys != nil {
		content["keys"] = keys
		if name := gjson.GetBytes(keys, "unsigned.device_display_name").Str; name != "" {
			content["device_display_name"] = name
		}
		return "m.device_list_update", content, nil
	}
	devices, err := k.store.DevicesOf(ctx, user)
	if err != nil {
		return "", nil, err
	}
	if i := slices.IndexFunc(devices, func(d store.Device) bool { return d.ID == device }); i < 0 {
		content["deleted"] = true
	} else if devices[i].Name != "" {
		content["device_display_name"] = devices[i].Name
	}
	return "m.device_list_update", content, nil
}
