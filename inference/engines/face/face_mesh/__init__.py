"""Faces and their 468 points in pictures, on a processor: MediaPipe's face mesh, run by OpenCV."""
