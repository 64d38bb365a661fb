package drive

import (
	"fmt"
	"sync"
)

// Table holds the open producers or consumers by the number that the test gave them.
type Table[T any] struct {
	mutex sync.Mutex
	open  map[int64]T
}

// Put adds an open one.
func (t *Table[T]) Put(handle int64, value T) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.open == nil {
		t.open = map[int64]T{}
	}
	t.open[handle] = value
}

// Get finds an open one.
func (t *Table[T]) Get(handle int64) (T, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	value, known := t.open[handle]
	if !known {
		return value, fmt.Errorf("nothing is open under %d", handle)
	}
	return value, nil
}

// Take removes an open one.
func (t *Table[T]) Take(handle int64) (T, error) {
	value, err := t.Get(handle)
	t.mutex.Lock()
	defer t.mutex.Unlock()
	delete(t.open, handle)
	return value, err
}
