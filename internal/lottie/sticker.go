package lottie

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// stickerSide is how many pixels the longest side of a sticker has: as many as Discord draws, which
	// shows it half as large.
	stickerSide = 320
	// maxSticker is the largest file that becomes of a sticker, in bytes.
	maxSticker = 2 << 20
	// stickerTime is how long drawing may take; then one picture has to do, which may take stillTime.
	stickerTime, stillTime = 30 * time.Second, 10 * time.Second
)

// Sticker makes a picture of a document: an animated one or, if that takes too long, one that stands still. It may take some 40
// seconds of a processor.
func Sticker(ctx context.Context, raw []byte) (*Picture, error) {
	doc, err := Parse(raw)
	if err != nil {
		return nil, err
	}
	draw, cancel := context.WithTimeout(ctx, stickerTime)
	defer cancel()
	p, err := doc.Animated(draw, stickerSide, maxSticker)
	if errors.Is(err, ErrTooMuchWork) || errors.Is(err, context.DeadlineExceeded) {
		still, cancel := context.WithTimeout(ctx, stillTime)
		defer cancel()
		p, err = doc.Still(still, stickerSide)
	}
	if err != nil {
		return nil, fmt.Errorf("draw a sticker: %w", err)
	}
	return p, nil
}
