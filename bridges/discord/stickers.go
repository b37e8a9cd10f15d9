package discord

import (
	"context"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
	"github.com/landbridge-im/landbridge/internal/lottie"
)

const (
	// stickerShown is how wide and high a sticker is shown.
	stickerShown = 160
	// drawnKept is how many bytes of drawn stickers are kept, drawnMost how many stickers.
	drawnKept, drawnMost = 16 << 20, 256
)

// stickerFile is a sticker as Matrix can show it, at that size.
type stickerFile struct {
	raw           []byte
	kind          string
	width, height int
	animated      bool
}

// stickerFile fetches a sticker. Those of the format Lottie are drawn: they become animated PNGs.
func (n *bot) stickerFile(ctx context.Context, s wire.Sticker) (stickerFile, error) {
	f := stickerFile{kind: "image/png", width: stickerShown, height: stickerShown, animated: s.Format != 1}
	address := n.api.CDN("/stickers/" + string(s.ID) + ".png")
	switch s.Format {
	case 3:
		return n.b.drawn.sticker(ctx, s.ID, func() ([]byte, error) {
			raw, _, err := n.api.Download(ctx, n.api.CDN("/stickers/"+string(s.ID)+".json"), lottie.MaxBytes)
			return raw, err
		})
	case 4:
		address, f.kind = gifSticker(n.api.CDN("/stickers/"+string(s.ID)+".gif")), "image/gif"
	}
	var err error
	f.raw, _, err = n.api.Download(ctx, address, maxAvatar)
	return f, err
}

// gifSticker is where the GIF of that address is: "Sticker GIFs are not available through the CDN, and must be accessed at
// https://media.discordapp.net/stickers/<sticker_id>.gif."
func gifSticker(address string) string {
	if rest, ok := strings.CutPrefix(address, "https://cdn.discordapp.com/"); ok {
		return "https://media.discordapp.net/" + rest
	}
	return address
}

// drawnStickers draws stickers, one at a time, and keeps those that were used last. It is safe for concurrent use.
type drawnStickers struct {
	turn chan struct{} // one value: who takes it draws

	mu   sync.Mutex
	kept *simplelru.LRU[wire.ID, drawnSticker]
	size int
}

// drawnSticker is one, or why it cannot be drawn.
type drawnSticker struct {
	stickerFile
	err error
}

func newDrawnStickers() *drawnStickers {
	d := &drawnStickers{turn: make(chan struct{}, 1)}
	d.kept, _ = simplelru.NewLRU(drawnMost, func(_ wire.ID, s drawnSticker) { d.size -= len(s.raw) }) // fails only for a size that is not positive
	return d
}

func (d *drawnStickers) get(id wire.ID) (drawnSticker, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.kept.Get(id)
}

func (d *drawnStickers) keep(id wire.ID, s drawnSticker) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept.Remove(id)
	d.kept.Add(id, s)
	d.size += len(s.raw)
	for d.size > drawnKept {
		d.kept.RemoveOldest()
	}
}

// sticker is the one with that id, drawn from what fetch gives if it is not there yet.
func (d *drawnStickers) sticker(ctx context.Context, id wire.ID, fetch func() ([]byte, error)) (stickerFile, error) {
	if s, ok := d.get(id); ok {
		return s.stickerFile, s.err
	}
	raw, err := fetch()
	if err != nil {
		return stickerFile{}, err
	}
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return stickerFile{}, ctx.Err()
	}
	if s, ok := d.get(id); ok { // drawn meanwhile
		return s.stickerFile, s.err
	}
	var s drawnSticker
	s.stickerFile, s.err = drawSticker(ctx, raw)
	if ctx.Err() == nil {
		d.keep(id, s)
	}
	return s.stickerFile, s.err
}

// drawSticker makes a picture of an animation.
func drawSticker(ctx context.Context, raw []byte) (stickerFile, error) {
	p, err := lottie.Sticker(ctx, raw)
	if err != nil {
		return stickerFile{}, err
	}
	longest := max(p.Width, p.Height)
	shown := func(side int) int { return max(side*stickerShown/longest, 1) }
	return stickerFile{p.Data, "image/png", shown(p.Width), shown(p.Height), p.Frames > 1}, nil
}
