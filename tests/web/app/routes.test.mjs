// Places in the app and their addresses, and the token in the address of a first visit.

import assert from "node:assert/strict";
import { test } from "node:test";

import { formatRoute, parseRoute, takeToken } from "../../../src/web/app/core/routes.js";

test("every place has an address that leads back to it", () => {
  const places = [
    { view: "sessions" },
    { view: "projects" },
    { view: "server" },
    { view: "session", sessionId: "0199-a" },
    { view: "project", projectPath: "/srv/my app/50% & more#1?" },
    { view: "project", projectPath: "/srv/a%41" },
    { view: "project", projectPath: "/srv/app/c/0199-a" },
    { view: "project", projectPath: "/srv/app", conflictId: "0199-a" },
  ];
  for (const place of places) assert.deepEqual(parseRoute(formatRoute(place)), place, formatRoute(place));
});

test("what is no place leads to the list", () => {
  for (const fragment of ["", "#", "#/", "#/s/", "#/p", "#/nothing/1", "#token", "#/S/1"]) {
    assert.deepEqual(parseRoute(fragment), { view: "sessions" }, fragment);
  }
  assert.deepEqual(parseRoute("#/s/%E0%A4%A"), { view: "session", sessionId: "%E0%A4%A" }, "a broken escape is taken as it is");
});

test("the token is taken out of the address, and the place behind it stays", () => {
  assert.deepEqual(takeToken("#token=abc"), { token: "abc", rest: "#/" });
  assert.deepEqual(takeToken("#token=a%2Bb&to=/s/1"), { token: "a+b", rest: "#/s/1" });
  for (const other of ["", "#/", "#/s/1", "#token=", "#/p/token=abc"]) {
    assert.deepEqual(takeToken(other), { token: null, rest: other });
  }
});
