// SPDX-License-Identifier: MIT
//
// Go's gorilla/securecookie for cookies_bench: see peer.h. Arguments: the secret, the data. Prints
// its own cookie, and for each number on stdin the seconds that verifying it so often took. The
// data are bytes (NopEncoder): decoding gob would be a peer's cost that ours has not.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/gorilla/securecookie"
)

func check(failed error) {
	if failed != nil {
		fmt.Fprintln(os.Stderr, failed)
		os.Exit(1)
	}
}

func main() {
	codec := securecookie.New([]byte(os.Args[1]), nil)
	codec.SetSerializer(securecookie.NopEncoder{})
	cookie, failed := codec.Encode("session", []byte(os.Args[2]))
	check(failed)
	fmt.Println(cookie)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		calls, failed := strconv.Atoi(lines.Text())
		check(failed)
		var data []byte
		start := time.Now()
		for i := 0; i < calls; i++ {
			check(codec.Decode("session", cookie, &data))
		}
		fmt.Println(time.Since(start).Seconds())
	}
}
