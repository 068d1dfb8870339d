import type { LessonClaim } from './lessonClaims.ts';
export const lessonFigures: readonly LessonClaim[] = [];
