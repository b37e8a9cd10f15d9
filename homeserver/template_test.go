package homeserver

import (
	"fmt"
	"sync"
	"testing"
)

// TestTemplateWhileOthersSpeak has another server join a room in which much is being said: the template for
// the join must not cite what isn't stored yet, for the join would be refused, or nobody know of it after a crash.
func TestTemplateWhileOthersSpeak(t *testing.T) {
	t.Parallel()
	h, _, far := resident(t)
	alice := h.user("alice")
	room := h.room(alice, obj{"preset": "public_chat", "room_version": "12"})
	stop := make(chan struct{})
	var talk sync.WaitGroup
	for n := range 4 {
		talk.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				h.do(alice, "PUT", fmt.Sprintf("/v3/rooms/%s/send/m.room.message/%d-%d", room, n, i), obj{"body": "x"})
			}
		})
	}
	defer talk.Wait()
	defer close(stop)
	for range 20 {
		far.join(room, true)
	}
}
