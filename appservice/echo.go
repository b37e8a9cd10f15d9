package appservice

import (
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice/store"
)

// An echo is the membership that one of the bridge's own users has set. The bridge
// remembers it when it is answered, and reads the members of a room anew where that
// matters after a crash, so an echo need not survive one. Thousands of them come
// when a large channel is joined.

// maxEchoes bounds the echoes that wait in memory; what is more is stored.
const maxEchoes = 20_000

// echoes takes those out of the items of a transaction that need not be stored.
func (p *pump) echoes(items []store.Item) (rest, echoes []store.Item) {
	p.mu.Lock()
	room := maxEchoes - p.waiting
	p.mu.Unlock()
	for _, it := range items {
		if it.Self != "" && len(echoes) < room && p.isOwnUser(id.UserID(it.Self)) {
			it.Kind = kindEcho
			echoes = append(echoes, it)
		} else {
			rest = append(rest, it)
		}
	}
	return rest, echoes
}
