import { onMounted, ref } from 'vue'

import { listConsents } from '@/api/presenters'
import type { Consent } from '@/api/schema'

/** Consents that a new presenter can name: one that was revoked or is for a voice does not count. */
export function useFaceConsents(isWanted: boolean) {
  const consents = ref<Consent[]>([])

  /** Without the list the form goes on. */
  async function load(): Promise<void> {
    const found = isWanted ? await listConsents().catch(() => []) : []
    consents.value = found.filter((item) => !item.revoked_at && item.scope !== 'voice')
  }

  onMounted(load)
  return consents
}
