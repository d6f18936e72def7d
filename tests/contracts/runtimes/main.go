// A runtime in Go, standard library only: doubles the number in its event; fails on a negative one.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func main() {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/"
	for {
		next, err := http.Get(api + "invocation/next")
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		event, _ := io.ReadAll(next.Body)
		next.Body.Close()
		id := next.Header.Get("Lambda-Runtime-Aws-Request-Id")
		var asked struct{ Number int }
		json.Unmarshal(event, &asked)
		path, answer := "/response", fmt.Sprintf(`{"doubled":%d}`, asked.Number*2)
		if asked.Number < 0 {
			path, answer = "/error", `{"errorMessage":"negative","errorType":"Bad"}`
		}
		// A reader without a length goes out in chunks, as aws-lambda-go does it.
		body := io.MultiReader(strings.NewReader(answer), bytes.NewReader(nil))
		posted, err := http.Post(api+"invocation/"+id+path, "application/json", body)
		if err != nil {
			os.Exit(2)
		}
		posted.Body.Close()
	}
}
