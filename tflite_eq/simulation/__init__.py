"""Running the float network and its fake-quantized twin in lockstep, operator by operator."""
