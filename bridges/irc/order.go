package irc

import (
	"context"
	"errors"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// orderPatience is how long what the bridge itself has to say waits for it to be in the channel.
const orderPatience = 30 * time.Second

var errAbsent = errors.New("the bridge is not in the channel")

// order has the outbox say something that no Matrix event stands behind, and returns what became of it. The key makes
// it once: what was said, or waits to be said, under the same key is not said again, also after a restart; what has failed is.
func (n *network) order(ctx context.Context, key string, o *outgoing) error {
	told := make(chan error, 1)
	o.EventID, o.told = id.EventID("order/"+n.cfg.ID+"/"+key), func(err error) { told <- err }
	fresh, err := n.take(ctx, n.outbox, o, nil)
	if err != nil || !fresh {
		return err
	}
	patience := time.NewTicker(orderPatience)
	defer patience.Stop()
	for {
		select {
		case err := <-told:
			return err
		case <-ctx.Done():
			return ctx.Err() // it is said later
		case <-patience.C:
			if !n.session.InChannel(o.Channel) && n.outbox.cancel(o.EventID) {
				<-told
				return errors.Join(errAbsent, n.b.store.forget(ctx, o.EventID))
			}
		}
	}
}

// ordered ends an order.
func (n *network) ordered(ctx context.Context, o *outgoing, err error) error {
	if err != nil {
		if err := n.b.store.forget(ctx, o.EventID); err != nil {
			return err
		}
	}
	if o.told != nil { // nil after a restart
		o.told(err)
	}
	return nil
}

// isOrder tells that no Matrix event stands behind what is said.
func (o *outgoing) isOrder() bool { return o.Status.RoomID == "" }

// reasonOf is why an order was refused, for people to read.
func reasonOf(err error) string {
	var refused *session.Refusal
	if errors.As(err, &refused) {
		return "the server says: " + refused.Text
	}
	return err.Error()
}
