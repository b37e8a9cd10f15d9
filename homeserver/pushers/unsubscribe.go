package pushers

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// UnsubscribePath is where the link in a notification by e-mail leads, which ends them.
const UnsubscribePath = "/_matrix/client/unstable/im.landbridge/pushers/unsubscribe"

// unsubscribe is that link for a pusher; "" if the server has no address. Whoever has it can do nothing
// else with it.
func (p *Pushers) unsubscribe(row store.Pusher) string {
	if p.o.PublicURL == "" || len(p.o.Key) == 0 {
		return ""
	}
	q := url.Values{"user": {strconv.FormatInt(row.User, 10)}, "address": {row.Pushkey}, "proof": {p.proof(row.User, row.Pushkey)}}
	return p.o.PublicURL + UnsubscribePath + "?" + q.Encode()
}

// proof shows that a link was made here.
func (p *Pushers) proof(user int64, address string) string {
	mac := hmac.New(sha256.New, p.o.Key)
	fmt.Fprintf(mac, "unsubscribe\x00%d\x00%s", user, address)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Unsubscribe does what the link in a message asks for: nothing that is unread is told to the address any more. With
// try, it only looks whether the link is one of ours. Doing it twice is no error. It gives the address.
func (p *Pushers) Unsubscribe(ctx context.Context, q url.Values, try bool) (address string, err error) {
	user, err := strconv.ParseInt(q.Get("user"), 10, 64)
	address = q.Get("address")
	if err != nil || len(p.o.Key) == 0 || !hmac.Equal([]byte(p.proof(user, address)), []byte(q.Get("proof"))) {
		return "", mxerror.New(http.StatusForbidden, "M_FORBIDDEN", "This link is not whole. Take all of it from the message.")
	}
	if try {
		return address, nil
	}
	err = p.o.Store.Write(ctx, func(t *store.Tx) error {
		have, err := t.PushersOf(user)
		if err != nil {
			return err
		}
		for _, row := range have {
			if row.Kind != kindEmail || row.Pushkey != address {
				continue
			}
			if err := t.DeletePusher(user, row.AppID, row.Pushkey); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("ending notifications by e-mail: %w", err)
	}
	return address, p.refresh(ctx, user)
}
