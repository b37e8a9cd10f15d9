package slack

import (
	"context"
	"time"
)

// askTime is how long other events wait while something is asked of Slack without which a message can do.
const askTime = 5 * time.Second

// maxRoots bounds how many threads are remembered that were asked for.
const maxRoots = 1000

// olderRoot returns the root of the thread that a message is in, if its room does not have it because it was said before the
// room begins, or comes late: on Matrix there is no thread without its root. It is asked for once.
func (w *workspace) olderRoot(ctx context.Context, m *message) *message {
	if m.ThreadTS == "" || m.ThreadTS == m.TS || w.pasts.has(m.Channel) {
		return nil
	}
	portal, err := w.b.br.GetExistingPortalByKey(ctx, channelKey(m.Channel))
	if err != nil || portal == nil {
		return nil
	}
	// What is newer was in the room, and may have been taken out of it, unless it is about to come.
	if meta, ok := portal.Metadata.(*PortalMetadata); !ok || m.ThreadTS >= meta.Begins && !w.mayCome(portal, m.Channel, m.ThreadTS) {
		return nil
	}
	key := m.Channel + "/" + m.ThreadTS
	w.mu.Lock()
	asked := w.roots[key]
	if len(w.roots) >= maxRoots {
		clear(w.roots)
	}
	w.roots[key] = true
	w.mu.Unlock()
	if asked {
		return nil
	}
	if row, err := w.b.br.DB.Message.GetFirstPartByID(ctx, "", messageID(m.Channel, m.ThreadTS)); err != nil || row != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	list, _, err := w.gaps.page(ctx, m.Channel, values("channel", m.Channel, "ts", m.ThreadTS, "limit", "1", "inclusive", "true"), "conversations.replies")
	if err != nil {
		w.log.Warn("a thread is shown without its beginning", "channel", m.Channel, "error", err)
		return nil
	}
	for i := range list {
		root := &list[i].m
		if root.TS == m.ThreadTS && root.said() && !w.ours(root) {
			root.ThreadTS = ""
			w.said.note(key, root.TS)
			return root
		}
	}
	return nil
}
