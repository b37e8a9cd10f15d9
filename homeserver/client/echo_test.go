package client

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestEchoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var e echoes
		since := time.Now()
		e.wait(t.Context(), 1)
		if d := time.Since(since); d != 0 {
			t.Errorf("waited %v for nothing", d)
		}
		first, second := e.begin(1), e.begin(1)
		e.wait(t.Context(), 2)
		if d := time.Since(since); d != 0 {
			t.Errorf("waited %v for another device", d)
		}
		go func() {
			time.Sleep(time.Millisecond)
			second()
			time.Sleep(time.Millisecond)
			first()
		}()
		e.wait(t.Context(), 1)
		if d := time.Since(since); d != 2*time.Millisecond {
			t.Errorf("waited %v for two answers", d)
		}
		synctest.Wait()
		if len(e.sending) != 0 {
			t.Errorf("left behind: %v", e.sending)
		}
		third := e.begin(1)
		since = time.Now()
		e.wait(t.Context(), 1)
		if d := time.Since(since); d != echoWait {
			t.Errorf("waited %v for one that takes long", d)
		}
		third()
	})
}
