"""zedo: 3D human poses from pictures, videos and 2D keypoints, by diffusion-based optimisation."""
