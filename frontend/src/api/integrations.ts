import { patch, post, readList, remove } from './calls'
import type { ApiKeyDraft, WebhookDraft } from './schema'

/** What connects other systems: webhooks with their log, and keys of programs. Owners only. */

const HOOKS = 'organizations/{organization_id}/webhooks/'
const HOOK = 'organizations/{organization_id}/webhooks/{webhook_id}/'
const KEYS = 'organizations/{organization_id}/api-keys/'

export const listWebhooks = (organization_id: string, pages = 1) =>
  readList(HOOKS, pages, { ids: { organization_id } })

/** The answer holds the secret, which is not told again. */
export const createWebhook = (organization_id: string, draft: WebhookDraft, idempotencyKey: string) =>
  post(HOOKS, draft, { organization_id }, { idempotencyKey })

export const switchWebhook = (organization_id: string, webhook_id: string, is_active: boolean) =>
  patch(HOOK, { is_active }, { organization_id, webhook_id })

export const deleteWebhook = (organization_id: string, webhook_id: string) =>
  remove(HOOK, { organization_id, webhook_id })

/** The new secret; the old one signs too for a day. */
export const rotateSecret = (organization_id: string, webhook_id: string) =>
  post(`${HOOK}rotate-secret/`, undefined, { organization_id, webhook_id })

export const testWebhook = (organization_id: string, webhook_id: string) =>
  post(`${HOOK}test/`, undefined, { organization_id, webhook_id })

/** The newest of its log. */
export const listDeliveries = (organization_id: string, webhook_id: string, pages = 1) =>
  readList(`${HOOK}deliveries/`, pages, { ids: { organization_id, webhook_id } })

export const redeliver = (organization_id: string, webhook_id: string, delivery_id: string) =>
  post(`${HOOK}deliveries/{delivery_id}/redeliver/`, undefined, {
    organization_id,
    webhook_id,
    delivery_id,
  })

export const listApiKeys = (organization_id: string, pages = 1) =>
  readList(KEYS, pages, { ids: { organization_id } })

/** The answer holds the key, which is not told again. */
export const createApiKey = (organization_id: string, draft: ApiKeyDraft, idempotencyKey: string) =>
  post(KEYS, draft, { organization_id }, { idempotencyKey })

export const revokeApiKey = (organization_id: string, key_id: string) =>
  remove('organizations/{organization_id}/api-keys/{key_id}/', { organization_id, key_id })
