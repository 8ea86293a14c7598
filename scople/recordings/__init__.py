"""A recording of anybody's, in any common file format and joint order, as sequences of Kinect v2's 25 joints."""
