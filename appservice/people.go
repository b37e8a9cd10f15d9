package appservice

import (
	"context"
	"fmt"
	"strings"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"
)

// GhostID is the user id of a person of a bridge's network, whether the bridge runs or not.
func (h *Host) GhostID(bridge string, person networkid.UserID) (id.UserID, error) {
	in, err := h.instance(bridge)
	if err != nil {
		return "", err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	return id.NewUserID(in.config.GhostPrefix+id.EncodeUserLocalpart(string(person)), h.opts.Homeserver.Domain), nil
}

// PersonOf is who a ghost of a bridge is on its network; false if the user is none.
func (h *Host) PersonOf(bridge string, ghost id.UserID) (networkid.UserID, bool) {
	in, err := h.instance(bridge)
	if err != nil {
		return "", false
	}
	in.mu.Lock()
	prefix := in.config.GhostPrefix
	in.mu.Unlock()
	local, server, err := ghost.Parse()
	if err != nil || server != h.opts.Homeserver.Domain {
		return "", false
	}
	rest, ok := strings.CutPrefix(local, prefix)
	if !ok || rest == "" {
		return "", false
	}
	person, err := id.DecodeUserLocalpart(rest)
	return networkid.UserID(person), err == nil
}

// Module is the module's part of an instance that runs, for what a Bridge may be able to do beside (Messenger,
// Freezer, ...); nil when it does not run. It is valid until the instance stops.
func (h *Host) Module(bridge string) Bridge {
	in, err := h.instance(bridge)
	if err != nil {
		return nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.run == nil || in.status.State != StateRunning {
		return nil
	}
	return in.run.bridge
}

// Tied tells a bridge that a person's account is another one, or ("") none any more.
func (h *Host) Tied(ctx context.Context, bridge string, person networkid.UserID, account id.UserID) error {
	in, err := h.instance(bridge)
	if err != nil {
		return err
	}
	r, _ := in.current()
	if r == nil {
		return nil // the next start looks by itself
	}
	return retie(ctx, r.br, person, account)
}

// retie has the bridge's database say that a person's messages are sent by whom they will be sent by from now on.
// bridgev2 refuses edits by others than the sender; who has really sent a message, and must edit it, is found out
// then (puppet.sender).
func retie(ctx context.Context, br *bridgev2.Bridge, person networkid.UserID, account id.UserID) error {
	if account == "" {
		account = br.Matrix.FormatGhostMXID(person)
	}
	_, err := br.DB.Exec(ctx, "UPDATE message SET sender_mxid = $1 WHERE bridge_id = $2 AND sender_id = $3 AND sender_mxid <> $1 AND sender_mxid <> $4",
		account, br.ID, person, br.Bot.GetMXID())
	if err != nil {
		return fmt.Errorf("change the sender of a person's messages: %w", err)
	}
	return nil
}
