/**
 * The seed's routes through a client typed by the generated schema: log in, queue, poll, retry.
 *
 * The hub's address, the administrator and the connection come from the environment. The first record that is written
 * fails; tests/clients/run.py sees to that.
 */

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import createClient from "openapi-fetch";

import type { components, paths } from "./schema.d.ts";

type LinkStatus = components["schemas"]["LinkStatus"];

const MILLISECONDS = 40_000;

function setting(name: string): string {
  const value = process.env[name];
  assert(value, `${name} is not set`);
  return value;
}

const crm = setting("CRM");
const email = setting("EMAIL");
const api = createClient<paths>({ baseUrl: setting("HUB") });

/** A good answer's data; a refusal fails the test. */
async function given<T>(asked: Promise<{ data?: T; error?: unknown }>): Promise<T> {
  const { data, error } = await asked;
  assert(data !== undefined, JSON.stringify(error));
  return data;
}

async function until<T>(look: () => Promise<T | undefined>, what: string): Promise<T> {
  const deadline = Date.now() + MILLISECONDS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    assert(Date.now() < deadline, `${what} did not happen in time`);
    await sleep(200);
  }
}

async function logIn(): Promise<void> {
  const wrong = await api.POST("/api/v1/auth/login", { body: { email, password: "wrong" } });
  assert.equal(wrong.response.status, 401);
  const pair = await given(api.POST("/api/v1/auth/login", { body: { email, password: setting("PASSWORD") } }));
  api.use({
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${pair.access}`);
      return request;
    },
  });
}

async function make(name: string): Promise<string> {
  const body = { first_name: name, last_name: "Typescript", email: `${name.toLowerCase()}.typescript@example.com` };
  return (await given(api.POST("/api/v3/contacts", { body }))).id;
}

/** A contact's link, once the contact has arrived or failed. */
function ended(contact_id: string): Promise<LinkStatus> {
  return until(async () => {
    const status = await given(api.GET("/api/v3/contacts/{contact_id}/sync-status", { params: { path: { contact_id } } }));
    const link = status[crm];
    return link?.sync_status === "Complete" || link?.sync_status === "Error" ? link : undefined;
  }, "the end of a sync");
}

/** Sends what is due, and waits for the run to end. */
async function push(): Promise<void> {
  const { run } = await given(api.POST("/api/v3/connections/{key}/push", { params: { path: { key: crm } } }));
  await until(async () => {
    const { status } = await given(api.GET("/api/v3/runs/{id}", { params: { path: { id: run } } }));
    return status === "running" ? undefined : status;
  }, "the end of a run");
}

async function failAndRetry(): Promise<void> {
  const contact_id = await make("Ann");
  const path = { contact_id };
  const queued = await given(
    api.POST("/api/v3/contacts/{contact_id}/queue-sync", { params: { path }, body: { crm, priority: "high" } }),
  );
  assert.equal(queued.sync_status, "Queued");
  const failed = await ended(contact_id);
  assert.equal(failed.sync_status, "Error");
  assert(failed.processing_error);
  const { failures } = await given(api.GET("/api/v3/contacts/sync-failures", { params: { query: { crm, limit: 10 } } }));
  assert.deepEqual(failures.map((failure) => failure.contact_id), [contact_id]);
  const retried = await given(
    api.POST("/api/v3/contacts/{contact_id}/retry-sync", { params: { path }, body: { crm, reset_retry_count: true } }),
  );
  assert.equal(retried.retry_count, 0);
  await push();
  assert.equal((await ended(contact_id)).sync_status, "Complete");
  const again = await api.POST("/api/v3/contacts/{contact_id}/retry-sync", { params: { path }, body: { crm } });
  assert.equal(again.error?.code, "not_in_error_state");
  assert.equal((await given(api.POST("/api/v3/contacts/retry-all-failures", { body: { crm } }))).retried_count, 0);
}

async function queueMany(): Promise<void> {
  const stats = () => given(api.GET("/api/v3/contacts/sync-stats", { params: { query: { crm } } }));
  const before = (await stats()).synced;
  const contact_ids = [await make("Bob"), await make("Cleo")];
  const done = await given(api.POST("/api/v3/contacts/bulk-queue-sync", { body: { crm, contact_ids } }));
  assert.deepEqual([done.queued, done.skipped], [2, 0]);
  await make("Dora");
  const body = { crm, filters: { has_email: true } };
  assert((await given(api.POST("/api/v3/contacts/queue-all-sync", { body }))).queued_count >= 1);
  await push();
  for (const contact of contact_ids) assert.equal((await ended(contact)).sync_status, "Complete");
  assert.equal((await stats()).synced, before + 3);
  const page = await given(api.GET("/api/v3/contacts", { params: { query: { crm, search: "typescript" } } }));
  assert.equal(page.results.length, 4);
}

await logIn();
assert.equal((await given(api.GET("/api/v1/auth/me"))).email, email);
assert((await given(api.GET("/api/v3/admin/crm-config")))[crm]?.api_key_configured);
assert.equal((await given(api.POST("/api/v3/admin/test-crm-credentials", { body: { crm } }))).status, "valid");
const unknown = await api.POST("/api/v3/contacts/queue-all-sync", { body: { crm: "nosuch" } });
assert.equal(unknown.error?.code, "unknown_crm");
await failAndRetry();
await queueMany();
