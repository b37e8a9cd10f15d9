package homeserver

import (
	"context"
	"errors"
	"io"
	"mime"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/federation/joins"
	"github.com/landbridge-im/landbridge/homeserver/federation/outbound"
	"github.com/landbridge-im/landbridge/homeserver/keys"
	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/presence"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// openSenders makes the parts that send to other servers and go to their rooms, if there may be any.
func (s *Server) openSenders(k *keys.Keys) {
	if !s.o.Federation.Enabled {
		return
	}
	s.joins = joins.New(joins.Options{Store: s.store, Rooms: s.rooms, Remote: s.outside.client, Keys: s.outside.ring, Policy: s.outside.policy, Signer: s.signer,
		Take: func(ctx context.Context, from string, name store.RoomName, e *event.Event) error {
			return s.inbound.Take(ctx, from, name, e)
		}, Log: s.o.Log, Now: s.o.Now})
	s.senders = outbound.New(outbound.Options{Server: s.o.Name, Source: s.store, Remote: s.outside.client, Backoff: s.outside.backoff, Devices: k,
		Typing: s.typing.In, Present: s.present, Log: s.o.Log, Now: s.o.Now})
	s.outside.backoff.OnWake(func(server string) {
		s.senders.Wake(server)
		s.inbound.Back(server)
	})
}

// present tells how a user of this server is there.
func (s *Server) present(user int64) (outbound.Presence, bool) {
	if s.presence == nil {
		return outbound.Presence{}, false
	}
	st := s.presence.Get(user)
	return outbound.Presence{UserID: st.UserID, Presence: st.Presence, Status: st.Status, LastActive: st.LastActive, CurrentlyActive: st.CurrentlyActive},
		st.UserID != "" && st.Presence != "offline"
}

// presenceChanged tells application services and other servers how a user of this one is there.
func (s *Server) presenceChanged(st presence.State) {
	s.services.PresenceChanged(st.User)
	if s.senders != nil {
		s.senders.PresenceChanged(st.User, outbound.Presence{UserID: st.UserID, Presence: st.Presence, Status: st.Status,
			LastActive: st.LastActive, CurrentlyActive: st.CurrentlyActive})
	}
}

// remoteMediaMin bounds files of other servers where MaxUpload is not set: media has its own default.
const remoteMediaMin = 100 << 20

// mediaWait is how long another server may wait for a file that is yet to be uploaded.
const mediaWait = 20 * time.Second

// remoteMedia fetches files of other servers.
type remoteMedia struct {
	client *fclient.Client
	limit  int64
}

var _ media.Remote = remoteMedia{}

// Fetch asks the server for a file: by the endpoint for servers, and where that isn't known, as those
// did before version 1.11 of the specification.
func (m remoteMedia) Fetch(ctx context.Context, origin, id string, w io.Writer) (media.Meta, error) {
	var meta media.Meta
	sink := func(said fclient.Media, r io.Reader) error {
		meta.Type = said.ContentType
		if _, params, err := mime.ParseMediaType(said.ContentDisposition); err == nil {
			meta.Name = params["filename"]
		}
		_, err := io.Copy(w, r)
		return err
	}
	err := m.client.Download(fclient.Urgent(ctx), origin, id, mediaWait, m.limit, sink)
	var e *fclient.Error
	// "If the remote server ... responds with a 404 M_UNRECOGNIZED ... the homeserver SHOULD fall back"; a
	// server that knows nothing of the endpoint may also answer without an errcode, or with anything but
	// the two parts.
	if errors.As(err, &e) && e.Status/100 == 4 && (e.Code == "" || e.Code == "M_UNRECOGNIZED") || errors.Is(err, fclient.ErrNotMultipart) {
		err = m.client.OldDownload(fclient.Urgent(ctx), origin, id, mediaWait, m.limit, sink)
	}
	switch {
	case !errors.As(err, &e):
		return meta, err
	case e.Code == "M_NOT_YET_UPLOADED":
		return meta, mxerror.New(504, e.Code, "The media has not been uploaded yet.").Because(err)
	case e.Status == 404:
		return meta, mxerror.NotFound("The media was not found by its server.").Because(err)
	}
	return meta, err
}
