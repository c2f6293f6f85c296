import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'

import * as api from '@/api/integrations'
import type { Part } from '@/api/calls'
import { toApiError, type ApiError } from '@/api/errors'
import type { ApiKey, ApiKeyDraft, Delivery, Webhook, WebhookDraft } from '@/api/schema'

import { newestOnly } from './newestOnly'
import { newPaging, restart, takePart, type Paging } from './paging'

/** What is told once, and what it belongs to. */
export interface ToldOnce {
  kind: 'webhook' | 'key'
  name: string
  text: string
}

/** Webhooks and keys of one organization. */
export const useIntegrationsStore = defineStore('integrations', () => {
  const webhooks = ref<Webhook[]>([])
  const keys = ref<ApiKey[]>([])
  /** Newest deliveries by webhook; only of those that were looked at. */
  const deliveries = ref<Record<string, Part<Delivery>>>({})
  const webhookPages = newPaging()
  const keyPages = newPaging()
  const told = shallowRef<ToldOnce | null>(null)
  const isLoaded = ref(false)
  const error = shallowRef<ApiError | null>(null)
  const askLists = newestOnly()
  let organization = ''

  async function load(id: string): Promise<void> {
    organization = id
    told.value = null
    deliveries.value = {}
    webhooks.value = []
    keys.value = []
    restart(webhookPages, keyPages)
    isLoaded.value = false
    await read()
  }

  async function read(): Promise<void> {
    const isNewest = askLists()
    try {
      const found = await Promise.all([
        api.listWebhooks(organization, webhookPages.pages),
        api.listApiKeys(organization, keyPages.pages),
      ])
      if (!isNewest()) return
      webhooks.value = takePart(webhookPages, found[0])
      keys.value = takePart(keyPages, found[1])
      error.value = null
    } catch (failure) {
      if (isNewest()) error.value = toApiError(failure)
    } finally {
      if (isNewest()) isLoaded.value = true
    }
  }

  async function more(paging: Paging): Promise<void> {
    paging.pages += 1
    await read()
  }

  async function addWebhook(draft: WebhookDraft, idempotencyKey: string): Promise<void> {
    const owner = organization
    const { secret, ...made } = await api.createWebhook(owner, draft, idempotencyKey)
    if (owner === organization) webhooks.value = [made, ...webhooks.value]
    told.value = { kind: 'webhook', name: made.description || made.url, text: secret }
  }

  async function switchWebhook(id: string, isActive: boolean): Promise<void> {
    const changed = await api.switchWebhook(organization, id, isActive)
    webhooks.value = webhooks.value.map((item) => (item.id === id ? changed : item))
  }

  async function removeWebhook(id: string): Promise<void> {
    await api.deleteWebhook(organization, id)
    webhooks.value = webhooks.value.filter((item) => item.id !== id)
  }

  async function rotate(webhook: Webhook): Promise<void> {
    const { secret } = await api.rotateSecret(organization, webhook.id)
    told.value = { kind: 'webhook', name: webhook.description || webhook.url, text: secret }
  }

  async function test(id: string): Promise<void> {
    await api.testWebhook(organization, id)
    await loadLog(id)
  }

  async function loadLog(id: string, pages = 1): Promise<void> {
    const part = await api.listDeliveries(organization, id, pages)
    deliveries.value = { ...deliveries.value, [id]: part }
  }

  async function redeliver(webhook: string, delivery: string, pages: number): Promise<void> {
    await api.redeliver(organization, webhook, delivery)
    await loadLog(webhook, pages)
  }

  async function addKey(draft: ApiKeyDraft, idempotencyKey: string): Promise<void> {
    const owner = organization
    const { key, ...made } = await api.createApiKey(owner, draft, idempotencyKey)
    if (owner === organization) keys.value = [made, ...keys.value]
    told.value = { kind: 'key', name: made.name, text: key }
  }

  async function revoke(id: string): Promise<void> {
    await api.revokeApiKey(organization, id)
    keys.value = keys.value.filter((item) => item.id !== id)
  }

  return {
    webhooks,
    keys,
    deliveries,
    webhookPages,
    keyPages,
    told,
    isLoaded,
    error,
    load,
    more,
    addWebhook,
    switchWebhook,
    removeWebhook,
    rotate,
    test,
    loadLog,
    redeliver,
    addKey,
    revoke,
  }
})
