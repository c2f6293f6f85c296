import { useI18n } from 'vue-i18n'

import type { ChipTone } from '@/components/ui/StatusChip.vue'

const TONES: Record<string, ChipTone> = {
  queued: 'info',
  building: 'info',
  ready: 'good',
  failed: 'bad',
  missing: 'warn',
}

/** Names of engines, stages and states in the language of the page; the plain word of unknown ones. */
export function usePresenterNames() {
  const { t, te } = useI18n()
  const engineText = (name: string) =>
    te(`presenters.engines.${name}`) ? t(`presenters.engines.${name}`) : name
  const stageText = (name: string) =>
    te(`presenters.stages.${name}`) ? t(`presenters.stages.${name}`) : name
  const stateText = (name: string) =>
    te(`presenters.states.${name}`) ? t(`presenters.states.${name}`) : name
  const toneOf = (state: string): ChipTone => TONES[state] ?? 'neutral'
  return { engineText, stageText, stateText, toneOf }
}
