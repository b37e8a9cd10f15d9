package main

import (
	"context"
	"fmt"
	"time"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// portal measures how long a bridge takes for the room of a large channel: the IRC module, from the start of the program
// until all who are in the channel are in the room, each with an account and a name. The group's server is not used: it
// needs an IRC server first.
func portal(ctx context.Context, b *bench) (err error) {
	irc, err := bridgetest.NewCrowd(b.members)
	if err != nil {
		return err
	}
	defer irc.Close()
	config := "bridges:\n" + bridgetest.IRCBridge("irc", "none", bridgetest.IRCNetwork{ID: "crowd", Addr: irc.Addr, Channels: []string{"#chan", "#side"}})
	began := time.Now()
	srv, err := testserver.Start(ctx, testserver.Options{Binary: b.binary, Dir: b.dir, Extra: config})
	if err != nil {
		return err
	}
	defer func() {
		if e := srv.Stop(); err == nil {
			err = e
		}
	}()
	anna, err := bridgetest.Register(ctx, srv.URL(), "anna", "")
	if err != nil {
		return err
	}
	defer anna.Close()
	room, err := joinWhenThere(ctx, anna, "#irc_crowd_#chan:"+srv.Name())
	if err != nil {
		return err
	}
	for {
		var summary struct {
			Joined int `json:"num_joined_members"`
		}
		if err := anna.Do(ctx, "GET", "/v1/room_summary/"+room, nil, &summary); err != nil {
			return err
		}
		if summary.Joined >= b.members {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.report.add(result{Key: "portal_s", What: fmt.Sprintf("the portal of a channel of %d, from the program's start until all are in", b.members), Value: time.Since(began).Seconds(), Unit: "s"})
	return nil
}
