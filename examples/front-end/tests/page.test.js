import assert from "node:assert";
import test from "node:test";
import { page } from "../page.js";

test("headings become headings", () => {
  assert.match(page("# Hello"), /<h1>Hello<\/h1>/);
});
