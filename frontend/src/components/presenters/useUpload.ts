import { onBeforeUnmount, ref } from 'vue'

import type { UploadFields } from '@/api/presenters'
import { useAttempt } from '@/composables/useAttempt'
import { usePresentersStore } from '@/stores/presenters'

/** Sends an upload and tells how far it is; without a presenter it makes one, with one a version. */
export function useUpload(presenterNow: () => string | undefined) {
  const store = usePresentersStore()
  const { error, isBusy, attempt } = useAttempt()
  const percent = ref(0)
  let sending: AbortController | null = null

  // Who leaves the page gives the upload up: the browser would end it anyway.
  onBeforeUnmount(cancel)

  function cancel(): void {
    sending?.abort()
  }

  /** The id of the presenter; null when it was refused, cancelled, or another one is being sent. */
  async function send(fields: UploadFields): Promise<string | null> {
    if (isBusy.value) return null
    sending = new AbortController()
    const options = { signal: sending.signal, onProgress: (share: number) => (percent.value = share * 100) }
    percent.value = 0
    const presenter = presenterNow()
    let id: string | null = null
    await attempt(async () => {
      if (presenter) await store.addVersion(presenter, fields, options)
      id = presenter ?? (await store.add(fields, options)).id
    })
    sending = null
    return id
  }

  return { error, isBusy, percent, send, cancel }
}
