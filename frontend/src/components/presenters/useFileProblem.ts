import { computed, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'

import { UPLOAD_MAX_MB } from '@/api/presenters'

/** What is wrong with a chosen file, before anybody waits for an upload that cannot be taken. */
export function useFileProblem(file: Readonly<Ref<File | null>>) {
  const { t } = useI18n()
  return computed(() => {
    if (!file.value) return ''
    if (file.value.size > UPLOAD_MAX_MB * 2 ** 20) return t('presenters.tooLarge', { size: UPLOAD_MAX_MB })
    if (file.value.size === 0) return t('presenters.emptyFile')
    return isAccepted(file.value) ? '' : t('presenters.wrongKind')
  })
}

/** Nothing is said of a file whose kind the browser does not know. */
function isAccepted({ name, type }: File): boolean {
  return type === '' || /^(video|image)\//.test(type) || type.includes('zip') || name.toLowerCase().endsWith('.zip')
}
