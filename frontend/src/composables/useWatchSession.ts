import { onBeforeUnmount, onMounted, ref, shallowRef, watch, type Ref } from 'vue'

import type { Caption } from '@/realtime/messages'
import { FIRST_STATUS, WatchSession, type WatchStatus } from '@/realtime/watchSession'
import { useSessionStore } from '@/stores/session'

/** Longest time a caption stays when the next one does not come. */
const CAPTION_MAXIMUM_MS = 12_000

/** Connects while the component lives; gives status, stream and the caption of this moment. */
export function useWatchSession(id: string, video: Ref<HTMLVideoElement | null>) {
  const status = shallowRef<WatchStatus>(FIRST_STATUS)
  const caption = ref('')
  const signedIn = useSessionStore()
  let captionTimer: number | undefined

  function showCaption(next: Caption): void {
    caption.value = next.text
    window.clearTimeout(captionTimer)
    const span = Math.max(1_500, next.end_ms - next.start_ms + 600)
    const hide = () => (caption.value = '')
    captionTimer = window.setTimeout(hide, Math.min(span, CAPTION_MAXIMUM_MS))
  }

  function showStream(stream: MediaStream): void {
    if (!video.value) return
    if (video.value.srcObject !== stream) video.value.srcObject = stream
    // A refused autoplay leaves the muted picture paused; the play button then starts it.
    video.value.play()?.catch(() => undefined)
  }

  const session = new WatchSession(id, {
    onStatus: (next) => (status.value = next),
    onStream: showStream,
    onCaption: showCaption,
  })

  onMounted(() => void session.connect())
  // A show that is not public is shown again when the session has come back.
  watch(
    () => signedIn.signIns,
    () => status.value.state === 'sign_in' && void session.connect(),
  )
  onBeforeUnmount(() => {
    window.clearTimeout(captionTimer)
    session.close()
  })
  return { status, caption, retry: () => void session.connect() }
}
