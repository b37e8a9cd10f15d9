package appservice

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"maunium.net/go/mautrix/id"
)

// keptRooms are the rooms into which channels were put that had been there before. They stay what they are, also
// when the mapping does not name them any more, so they are kept in a file beside the bridge's database.
type keptRooms struct {
	path string

	mu    sync.Mutex
	rooms []id.RoomID
}

const keptFile = "kept-rooms.json"

func loadKept(dir string) (*keptRooms, error) {
	k := &keptRooms{path: filepath.Join(dir, keptFile)}
	data, err := os.ReadFile(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &k.rooms)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", k.path, err)
	}
	return k, nil
}

func (k *keptRooms) has(room id.RoomID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Contains(k.rooms, room)
}

func (k *keptRooms) none() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.rooms) == 0
}

// add remembers a room before anything is done in it.
func (k *keptRooms) add(room id.RoomID) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if slices.Contains(k.rooms, room) {
		return nil
	}
	next := append(slices.Clone(k.rooms), room)
	data, err := json.Marshal(next)
	if err == nil {
		err = writeFile(k.path, data)
	}
	if err != nil {
		return fmt.Errorf("remember a room: %w", err)
	}
	k.rooms = next
	return nil
}
