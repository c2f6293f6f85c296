import { onBeforeUnmount, ref } from 'vue'

import type { UploadFields } from '@/api/presenters'
import { usePresentersStore } from '@/stores/presenters'

/** Sends an upload and tells how far it is; without a presenter it makes one, with one a version. */
export function useUpload(presenterNow: () => string | undefined) {
  const store = usePresentersStore()
  const percent = ref(0)
  let sending: AbortController | null = null

  // Who leaves the page gives the upload up: the browser would end it anyway.
  onBeforeUnmount(cancel)

  function cancel(): void {
    sending?.abort()
  }

  /** The id of the presenter. Throws ApiError when it was refused or cancelled. */
  async function send(fields: UploadFields): Promise<string> {
    sending = new AbortController()
    const options = { signal: sending.signal, onProgress: (share: number) => (percent.value = share * 100) }
    percent.value = 0
    const presenter = presenterNow()
    try {
      if (!presenter) return (await store.add(fields, options)).id
      await store.addVersion(presenter, fields, options)
      return presenter
    } finally {
      sending = null
    }
  }

  return { percent, send, cancel }
}
